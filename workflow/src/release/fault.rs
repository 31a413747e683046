//! The moments at which a kill may hit, for tests alone: outside of them [`step`] is nothing.
//!
//! A test arms a number; the step of that number unwinds, and since no code of an install lives in a `Drop`
//! but the release of the lock (which a kill releases too), the disk is then as a kill would have left it.

/// Marks a moment between two changes of the disk.
#[cfg(not(test))]
#[inline(always)]
pub(crate) fn step() {}

#[cfg(test)]
pub(crate) use hook::{arm, disarm, step};

#[cfg(test)]
mod hook {
    use std::cell::Cell;

    thread_local! {
        static LEFT: Cell<Option<u32>> = const { Cell::new(None) };
    }

    /// Lets the next `steps` steps pass and kills at the one after.
    pub(crate) fn arm(steps: u32) {
        LEFT.set(Some(steps));
    }

    /// Lets everything pass again.
    pub(crate) fn disarm() {
        LEFT.set(None);
    }

    pub(crate) fn step() {
        match LEFT.get() {
            Some(0) => {
                LEFT.set(None);
                // Without the panic hook: a thousand kills are no news.
                std::panic::resume_unwind(Box::new("killed here by the test"));
            }
            Some(left) => LEFT.set(Some(left - 1)),
            None => {}
        }
    }
}
