//! Everything the database knows. The only SQL in the house.
