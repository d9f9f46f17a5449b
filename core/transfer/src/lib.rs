//! File bytes out by the shortest way, and in: hashed, inspected and written off the async workers.
