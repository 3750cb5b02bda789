//! A bounded queue to one consumer. When it is full, a sender waits a given time for a place and
//! then gets its item back; nothing is ever dropped silently.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Why an item was not taken; the item comes back.
pub(super) enum Refused<T> {
    /// Full all the time.
    Full(T),
    /// Closed.
    Closed(T),
}

/// The queue.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    filled: Condvar,
    freed: Condvar,
    places: usize,
}

struct State<T> {
    items: VecDeque<T>,
    closed: bool,
}

impl<T> Queue<T> {
    /// An empty queue.
    pub fn new(places: usize) -> Self {
        let state = Mutex::new(State { items: VecDeque::with_capacity(places), closed: false });
        Self { state, filled: Condvar::new(), freed: Condvar::new(), places }
    }

    /// Puts an item at the end, waiting up to `patience` for a place.
    pub fn send(&self, item: T, patience: Duration) -> Result<(), Refused<T>> {
        let until = Instant::now() + patience;
        let mut state = self.lock();
        loop {
            if state.closed {
                return Err(Refused::Closed(item));
            }
            if state.items.len() < self.places {
                state.items.push_back(item);
                self.filled.notify_one();
                return Ok(());
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Refused::Full(item));
            }
            state = self.freed.wait_timeout(state, left).unwrap_or_else(|e| e.into_inner()).0;
        }
    }

    /// Waits for the first item, then takes what is there, up to `most`. Empty only when the queue is
    /// closed and nothing is left.
    pub fn receive(&self, most: usize) -> Vec<T> {
        let mut state = self.lock();
        while state.items.is_empty() && !state.closed {
            state = self.filled.wait(state).unwrap_or_else(|e| e.into_inner());
        }
        let count = state.items.len().min(most);
        let items = state.items.drain(..count).collect();
        self.freed.notify_all();
        items
    }

    /// Refuses everything from now on; what waits is still received.
    pub fn close(&self) {
        self.lock().closed = true;
        self.filled.notify_all();
        self.freed.notify_all();
    }

    /// How many items wait.
    pub fn len(&self) -> usize {
        self.lock().items.len()
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(|e| e.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_queue_gives_the_item_back() {
        let queue = Queue::new(2);
        for n in 0..2 {
            assert!(queue.send(n, Duration::ZERO).is_ok());
        }
        assert!(matches!(queue.send(2, Duration::from_millis(1)), Err(Refused::Full(2))));
        assert_eq!(queue.receive(10), [0, 1]);
        assert!(queue.send(2, Duration::ZERO).is_ok());
    }

    #[test]
    fn a_waiting_sender_gets_the_place_that_becomes_free() {
        let queue = Queue::new(1);
        assert!(queue.send(0, Duration::ZERO).is_ok());
        std::thread::scope(|scope| {
            let sender = scope.spawn(|| queue.send(1, Duration::from_secs(60)).is_ok());
            assert_eq!(queue.receive(1), [0]);
            assert!(sender.join().unwrap());
        });
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn what_was_accepted_before_closing_is_still_received() {
        let queue = Queue::new(3);
        assert!(queue.send(0, Duration::ZERO).is_ok());
        queue.close();
        assert!(matches!(queue.send(1, Duration::from_secs(60)), Err(Refused::Closed(1))));
        assert_eq!(queue.receive(3), [0]);
        assert!(queue.receive(3).is_empty());
    }
}
