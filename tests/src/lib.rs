//! What the contract and end-to-end tests share.
