import type { components } from "./schema";

/** The nouns of the API document. */
export type Schemas = components["schemas"];
