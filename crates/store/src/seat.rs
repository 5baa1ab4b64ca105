//! What puts know queues by: a few words for each, one behind the other in memory.
//!
//! Where there are 40,000 queues none is in the processor's caches when its turn comes, and to wait for it takes half as long
//! as a put. So a put does not touch the queue: it takes the next offset here, and the unit is appended later, with others
//! that are on their way from memory at the same time ([`dispatch`](crate::dispatch)).

use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

use rocketmq_env::prefetch;

use crate::queue::Queue;
use crate::unit::UNIT_BYTES;

/// Where things of a queue stand in [`Seats`] and [`NextOffsets`]. When the queue is deleted another one may get the index, but
/// none ever the serial, and later ones have larger ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seat {
    index: u32,
    serial: u32,
}

/// Queues by their seats.
#[derive(Debug, Default)]
pub(crate) struct Seats {
    places: Vec<Place>,
    hint: Arc<TableHint>,
    vacant: Vec<u32>,
    last_serial: u32,
}

/// Where in memory a table by seats is, for who may not look into it but wants the processor to know.
#[derive(Debug, Default)]
pub(crate) struct TableHint(AtomicPtr<u8>);

impl TableHint {
    fn set<T>(&self, table: &mut [T]) {
        self.0.store(table.as_mut_ptr().cast(), Ordering::Relaxed);
    }

    fn expect<T>(&self, seat: Seat) {
        prefetch(self.0.load(Ordering::Relaxed).wrapping_add(seat.index as usize * size_of::<T>()));
    }
}

/// Those of the tables that a put uses.
#[derive(Debug)]
pub(crate) struct Hints {
    pub(crate) offsets: Arc<TableHint>,
    pub(crate) places: Arc<TableHint>,
}

impl Hints {
    /// Tells the processor that a message will be put.
    pub(crate) fn expect(&self, seat: Seat) {
        self.offsets.expect::<NextOffset>(seat);
        self.places.expect::<Place>(seat);
    }
}

#[derive(Debug, Default)]
struct Place {
    queue: Option<Arc<Queue>>,
    /// Where in memory the queue's next unit will be written, as far as known: a hint for the processor.
    tail_end: AtomicPtr<u8>,
}

impl Seats {
    /// Gives the queue a seat.
    pub(crate) fn add(&mut self, queue: Queue) -> Arc<Queue> {
        self.last_serial += 1;
        let index = self.vacant.pop().unwrap_or_else(|| {
            self.places.push(Place::default());
            self.hint.set(&mut self.places);
            u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
        });
        let queue = Arc::new(queue.at(Seat { index, serial: self.last_serial }));
        if let Some(place) = self.places.get_mut(index as usize) {
            place.queue = Some(Arc::clone(&queue));
        }
        queue
    }

    /// All queues.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<Queue>> {
        self.places.iter().filter_map(|place| place.queue.as_ref())
    }

    /// The queue of a seat that was not vacated.
    pub(crate) fn get(&self, seat: Seat) -> Option<&Arc<Queue>> {
        self.places.get(seat.index as usize)?.queue.as_ref()
    }

    /// Tells the processor that the queue will get a unit.
    pub(crate) fn expect(&self, seat: Seat) {
        let Some(place) = self.places.get(seat.index as usize) else { return };
        let Some(queue) = &place.queue else { return };
        queue.expect();
        // A unit may lie in two lines.
        let tail_end = place.tail_end.load(Ordering::Relaxed);
        prefetch(tail_end);
        prefetch(tail_end.wrapping_add(UNIT_BYTES - 1));
    }

    /// Notes where the next unit of the queue will be written.
    pub(crate) fn expect_at(&self, seat: Seat, tail_end: *mut u8) {
        if let Some(place) = self.places.get(seat.index as usize) {
            place.tail_end.store(tail_end, Ordering::Relaxed);
        }
    }

    pub(crate) fn hint(&self) -> Arc<TableHint> {
        Arc::clone(&self.hint)
    }

    /// Leaves the seat of a queue to another; nothing that was put to the queue waits for its unit any more.
    pub(crate) fn vacate(&mut self, seat: Seat) {
        if self.places.get_mut(seat.index as usize).and_then(|place| place.queue.take()).is_some() {
            self.vacant.push(seat.index);
        }
    }
}

/// The offset that the next message of each queue gets; changes under the append lock only.
#[derive(Debug, Default)]
pub(crate) struct NextOffsets {
    table: Vec<NextOffset>,
    hint: Arc<TableHint>,
}

#[derive(Debug, Clone, Copy, Default)]
struct NextOffset {
    value: i64,
    serial: u32,
    is_closed: bool,
}

impl NextOffsets {
    /// Those of queues that the store finds when it opens.
    pub(crate) fn of_all(seats: &Seats) -> Self {
        let mut offsets = Self::default();
        seats.all().for_each(|queue| offsets.set(queue.seat(), queue.max_offset()));
        offsets
    }

    /// `None` for a seat that another queue has now. The first offset of a queue that is new is 0.
    fn of(&mut self, seat: Seat) -> Option<&mut NextOffset> {
        let index = seat.index as usize;
        if index >= self.table.len() {
            self.table.resize(index + 1, NextOffset::default());
            self.hint.set(&mut self.table);
        }
        let next = self.table.get_mut(index)?;
        if next.serial < seat.serial {
            *next = NextOffset { serial: seat.serial, ..NextOffset::default() };
        }
        (next.serial == seat.serial).then_some(next)
    }

    pub(crate) fn hint(&self) -> Arc<TableHint> {
        Arc::clone(&self.hint)
    }

    /// Whether the queue takes messages: its topic was not deleted.
    pub(crate) fn is_open(&mut self, seat: Seat) -> bool {
        self.of(seat).is_some_and(|next| !next.is_closed)
    }

    /// What the next message gets.
    pub(crate) fn next(&mut self, seat: Seat) -> i64 {
        self.of(seat).map_or(0, |next| next.value)
    }

    /// Takes the next offset of an open queue.
    pub(crate) fn take(&mut self, seat: Seat) -> i64 {
        let Some(next) = self.of(seat) else { return 0 };
        next.value += 1;
        next.value - 1
    }

    /// Sets the next offset: gives back one that was taken.
    pub(crate) fn set(&mut self, seat: Seat, offset: i64) {
        if let Some(next) = self.of(seat) {
            next.value = offset;
        }
    }

    /// Lets no put use the queue from now on, or lets them again.
    pub(crate) fn set_closed(&mut self, seat: Seat, is_closed: bool) {
        if let Some(next) = self.of(seat) {
            next.is_closed = is_closed;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(index: u32, serial: u32) -> Seat {
        Seat { index, serial }
    }

    #[test]
    fn a_seat_given_to_another_queue_starts_at_0_and_takes_nothing_for_the_one_before() {
        let mut offsets = NextOffsets::default();
        offsets.set(seat(3, 7), 41);
        assert_eq!((offsets.take(seat(3, 7)), offsets.take(seat(3, 7)), offsets.next(seat(3, 7))), (41, 42, 43));
        offsets.set_closed(seat(3, 7), true);
        assert!(!offsets.is_open(seat(3, 7)));
        assert!(offsets.is_open(seat(3, 9)));
        assert_eq!(offsets.take(seat(3, 9)), 0);
        assert!(!offsets.is_open(seat(3, 7)));
        offsets.set_closed(seat(3, 7), false);
        assert!(!offsets.is_open(seat(3, 7)));
        assert_eq!(offsets.next(seat(3, 9)), 1);
    }

    #[test]
    fn a_deletion_that_failed_gives_the_queue_back_as_it_was() {
        let mut offsets = NextOffsets::default();
        offsets.set(seat(0, 1), 5);
        offsets.set_closed(seat(0, 1), true);
        offsets.set_closed(seat(0, 1), false);
        assert!(offsets.is_open(seat(0, 1)));
        assert_eq!(offsets.take(seat(0, 1)), 5);
        offsets.set(seat(0, 1), 5);
        assert_eq!(offsets.next(seat(0, 1)), 5);
    }
}
