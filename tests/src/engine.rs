//! A real engine: what end-to-end tests make there carries a label of their own and is removed by id.
