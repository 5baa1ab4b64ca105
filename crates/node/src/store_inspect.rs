//! Verifying a stopped store, and making its queues anew.

use std::path::PathBuf;
use std::sync::Arc;

use napi::bindgen_prelude::{AsyncTask, Function};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Result, Status, Task};
use napi_derive::napi;
use rocketmq_env::{Clock, Fs, OsFs, SystemClock};
use rocketmq_store::{StoreConfig, VerifyReport, rebuild, verify};

use crate::failure::failure;

/// Something wrong at a place of a file.
#[napi(object)]
pub struct NativeFault {
    pub file: String,
    pub offset: f64,
    pub what: String,
}

/// What was found.
#[napi(object)]
pub struct NativeVerifyReport {
    pub was_clean: bool,
    pub records: f64,
    pub log_bytes: f64,
    pub queues: f64,
    pub units: f64,
    pub index_items: f64,
    pub unindexed: f64,
    pub unfinished: f64,
    pub fault_count: f64,
    pub faults: Vec<NativeFault>,
}

type Progress = ThreadsafeFunction<Vec<f64>, (), Vec<f64>, Status, false, true>;

pub struct Inspect {
    directory: String,
    is_rebuild: bool,
    progress: Progress,
}

fn inspect(
    directory: String,
    is_rebuild: bool,
    on_progress: &Function<'_, Vec<f64>, ()>,
) -> Result<AsyncTask<Inspect>> {
    let progress = on_progress.build_threadsafe_function::<Vec<f64>>().weak::<true>().build()?;
    Ok(AsyncTask::new(Inspect { directory, is_rebuild, progress }))
}

/// Checks a stopped store; `on_progress` hears of the bytes done and of all bytes.
#[napi(ts_return_type = "Promise<NativeVerifyReport>")]
pub fn verify_store(directory: String, on_progress: Function<'_, Vec<f64>, ()>) -> Result<AsyncTask<Inspect>> {
    inspect(directory, false, &on_progress)
}

/// Makes the queues of a stopped store anew.
#[napi(ts_return_type = "Promise<NativeVerifyReport>")]
pub fn rebuild_store(directory: String, on_progress: Function<'_, Vec<f64>, ()>) -> Result<AsyncTask<Inspect>> {
    inspect(directory, true, &on_progress)
}

#[expect(clippy::cast_precision_loss, reason = "counts and positions are exact in a double up to 2^53")]
impl Task for Inspect {
    type Output = VerifyReport;
    type JsValue = NativeVerifyReport;

    fn compute(&mut self) -> Result<VerifyReport> {
        let (fs, clock): (Arc<dyn Fs>, Arc<dyn Clock>) = (Arc::new(OsFs), Arc::new(SystemClock::new()));
        let mut config = StoreConfig::new(PathBuf::from(&self.directory));
        let tell = |done: u64, total: u64| {
            self.progress.call(vec![done as f64, total as f64], ThreadsafeFunctionCallMode::NonBlocking);
        };
        let taken = config.take_file_sizes_from_disk(&*fs);
        let report = taken.and_then(|()| {
            if self.is_rebuild { rebuild(&config, &fs, &clock, tell) } else { verify(&config, &fs, tell) }
        });
        report.map_err(|error| failure(&error))
    }

    fn resolve(&mut self, _: Env, report: VerifyReport) -> Result<NativeVerifyReport> {
        let faults = report.faults.into_iter().map(|fault| NativeFault {
            file: fault.file.display().to_string(),
            offset: fault.offset as f64,
            what: fault.what,
        });
        Ok(NativeVerifyReport {
            was_clean: report.was_clean,
            records: report.records as f64,
            log_bytes: report.log_bytes as f64,
            queues: report.queues as f64,
            units: report.units as f64,
            index_items: report.index_items as f64,
            unindexed: report.unindexed as f64,
            unfinished: report.unfinished as f64,
            fault_count: report.fault_count as f64,
            faults: faults.collect(),
        })
    }
}
