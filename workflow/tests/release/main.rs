//! `workflow release` as a program, on a folder that stands for a sandbox.

mod fixture;
mod killed;
mod refused;
mod rolled_back;
mod together;
