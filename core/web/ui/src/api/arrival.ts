/** The query that the page was loaded with, before the router writes it in its own way: a code may look like a number. */
export const arrivedWith = location.search;
