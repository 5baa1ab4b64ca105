//! How far the start of a store is, told to JavaScript.

use napi::bindgen_prelude::Function;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Result, Status};
use napi_derive::napi;
use rocketmq_store::{RecoveryListener, RecoveryPhase, RecoveryProgress};

type Recoveries = ThreadsafeFunction<NativeRecoveryProgress, (), NativeRecoveryProgress, Status, false, true>;

/// How far the start of a store is.
#[napi(object)]
pub struct NativeRecoveryProgress {
    #[napi(ts_type = "'consumeQueues' | 'commitLog'")]
    pub phase: String,
    pub done: f64,
    pub total: f64,
    pub eta_ms: Option<f64>,
}

#[expect(clippy::cast_precision_loss, reason = "counts and positions are exact in a double up to 2^53")]
impl From<&RecoveryProgress> for NativeRecoveryProgress {
    fn from(progress: &RecoveryProgress) -> Self {
        let phase = match progress.phase {
            RecoveryPhase::ConsumeQueues => "consumeQueues",
            RecoveryPhase::CommitLog => "commitLog",
        };
        Self {
            phase: phase.to_owned(),
            done: progress.done as f64,
            total: progress.total as f64,
            eta_ms: progress.eta_ms.map(|ms| ms as f64),
        }
    }
}

/// A listener that passes on what it hears.
pub fn recovery_listener(on_recovery: &Function<'_, NativeRecoveryProgress, ()>) -> Result<RecoveryListener> {
    let recoveries: Recoveries =
        on_recovery.build_threadsafe_function::<NativeRecoveryProgress>().weak::<true>().build()?;
    Ok(RecoveryListener::new(move |progress| {
        recoveries.call(progress.into(), ThreadsafeFunctionCallMode::NonBlocking);
    }))
}
