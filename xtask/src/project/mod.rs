//! What keeps the project itself in order: checks, tests, measurements.

mod bench;
mod ci;
mod test;
