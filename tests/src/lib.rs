//! What the contract and end-to-end tests share: the real `xtask`, a stand-in for `docker`, a real engine.

pub mod engine;
pub mod process;
pub mod stand_in;
pub mod xtask;
