//! What a queue gives up: files that only point to records that are gone, or, when its topic is deleted, everything.

use std::sync::Arc;

use rocketmq_log::LogError;

use super::Queue;
use super::ext::Ext;
use crate::unit::UNIT_BYTES;

impl Queue {
    /// Moves the min offset to the first message at or behind `log_start`, and removes the files below it, never the last.
    /// For the housekeeping thread. (`ConsumeQueue#deleteExpiredFile`)
    pub(crate) fn remove_expired(&self, log_start: i64) -> Result<(), LogError> {
        let (min, max) = self.offsets();
        // Most queues have lost nothing, or everything: the search is for the others.
        let first_is_gone = || Ok(self.unit_at(min)?.is_none_or(|unit| unit.physical_offset < log_start));
        if min < max && first_is_gone()? {
            self.correct_min_offset(log_start)?;
        }
        let (files, min_position) = {
            let state = self.state.lock();
            (Arc::clone(&state.files), state.min_position as u64)
        };
        let segment_bytes = files.segment_bytes();
        if files.first_offset().is_none_or(|first| first + segment_bytes > min_position) {
            return Ok(());
        }
        // The file that then is the first must be on disk with a unit, or a power cut could make the offsets start anew.
        self.sync()?;
        let _nobody_writes = self.writing.lock();
        let last_synced = (self.state.lock().synced_position as u64).saturating_sub(UNIT_BYTES as u64);
        files.remove_before(min_position.min(last_synced - last_synced % segment_bytes))?;
        let ext = self.state.lock().ext.as_ref().map(|ext| ext.unsynced().0);
        if let Some(ext) = ext
            && let Some(first) = self.unit_at(self.min_offset())?
        {
            Ext::remove_before(&ext, first.tags_code)?;
        }
        Ok(())
    }

    /// Whether it had messages, and all that have their units are before `log_start`.
    pub(crate) fn has_only_expired(&self, log_start: i64) -> bool {
        let state = self.state.lock();
        state.end() > 0 && state.max_physical_offset <= log_start
    }

    /// Forgets all units and removes the files, for a queue that is closed. Readers find nothing more. After a failure it
    /// can be called again.
    pub(crate) fn destroy(&self) -> Result<(), LogError> {
        let (_nobody_writes, _nor_syncs) = (self.writing.lock(), self.syncing.lock());
        let (files, ext) = {
            let mut state = self.state.lock();
            state.is_destroyed = true;
            state.tail = Vec::new();
            (state.min_position, state.tail_position, state.synced_position) = (0, 0, 0);
            state.max_physical_offset = -1;
            (Arc::clone(&state.files), state.ext.as_mut().map(|ext| ext.files_to_destroy()))
        };
        // A deletion that was interrupted is finished where there are files of the queue, so these go last.
        ext.map_or(Ok(()), |ext| ext.destroy())?;
        files.destroy()
    }
}
