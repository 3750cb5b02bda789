//! How a camera's thread is told to stop: it sleeps only in [`Stop::wait`], and what may block
//! elsewhere (a socket) registers how to be woken.

use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

type Wake = Box<dyn FnOnce() + Send>;

#[derive(Default)]
struct State {
    stopped: bool,
    wake: Option<Wake>,
}

/// A request to stop, shared by a thread and whoever ends it. Once set it stays set.
#[derive(Clone, Default)]
pub(crate) struct Stop(Arc<(Mutex<State>, Condvar)>);

impl Stop {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(|e| e.into_inner())
    }

    /// Asks the thread to stop and wakes it.
    pub(crate) fn set(&self) {
        let wake = {
            let mut state = self.state();
            state.stopped = true;
            state.wake.take()
        };
        self.0.1.notify_all();
        if let Some(wake) = wake {
            wake();
        }
    }

    /// Whether the thread should stop.
    pub(crate) fn is_set(&self) -> bool {
        self.state().stopped
    }

    /// Sleeps for `time` or until asked to stop; tells whether to stop.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        let mut state = self.state();
        while !state.stopped {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            state = self.0.1.wait_timeout(state, left).unwrap_or_else(|e| e.into_inner()).0;
        }
        true
    }

    /// `wake` is called once when the thread is asked to stop (now, if it already was). It
    /// replaces an earlier one.
    pub(crate) fn on_stop(&self, wake: impl FnOnce() + Send + 'static) {
        let mut state = self.state();
        if state.stopped {
            drop(state);
            wake();
        } else {
            state.wake = Some(Box::new(wake));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn a_sleeping_thread_wakes_when_asked_to_stop() {
        let stop = Stop::default();
        let other = stop.clone();
        let sleeper = std::thread::spawn(move || other.wait(Duration::from_secs(600)));
        stop.set();
        assert!(sleeper.join().unwrap());
        assert!(!Stop::default().wait(Duration::from_millis(1)));
    }

    #[test]
    fn what_blocks_elsewhere_is_woken_once_even_if_it_registers_late() {
        let count = Arc::new(AtomicU32::new(0));
        let stop = Stop::default();
        let (a, b) = (count.clone(), count.clone());
        stop.on_stop(move || {
            a.fetch_add(1, Ordering::SeqCst);
        });
        stop.set();
        stop.set();
        assert_eq!(count.load(Ordering::SeqCst), 1);
        stop.on_stop(move || {
            b.fetch_add(10, Ordering::SeqCst);
        });
        assert_eq!(count.load(Ordering::SeqCst), 11);
    }
}
