//! The fuzz targets on their seeds and on a few thousand inputs of chance; for more see CONTRIBUTING.md.
#![allow(clippy::unwrap_used, reason = "a test that unwraps in vain fails, which is what it is for")]

#[path = "../../store/tests/common/random.rs"]
#[expect(dead_code, reason = "the tests of the store choose in more ways")]
mod random;

use std::path::Path;

use random::Random;
use rocketmq_testkit::fuzz;

fn run_seeds(name: &str, target: impl Fn(&[u8])) {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds").join(name);
    let mut ran = 0;
    for entry in std::fs::read_dir(&directory).unwrap() {
        target(&std::fs::read(entry.unwrap().path()).unwrap());
        ran += 1;
    }
    assert!(ran > 0, "no seeds in {}", directory.display());
}

/// Inputs of up to `max_len` bytes, the same ones each time.
fn run_random(count: usize, max_len: u64, target: impl Fn(&[u8])) {
    let mut random = Random(1);
    for _ in 0..count {
        let len = random.below(max_len + 1);
        let bytes: Vec<u8> = (0..len).map(|_| random.next() as u8).collect();
        target(&bytes);
    }
}

#[test]
fn records_of_apache_and_others_are_decoded_or_refused() {
    run_seeds("record", fuzz::record);
    run_random(2_000, 300, fuzz::record);
}

#[test]
fn frames_of_apache_and_others_are_decoded_or_refused() {
    run_seeds("frame", fuzz::frame);
    run_random(2_000, 300, fuzz::frame);
}

#[test]
fn files_of_any_bytes_open_or_are_refused() {
    run_seeds("recovery", fuzz::recovery);
    run_random(300, 2_600, fuzz::recovery);
}

#[test]
fn a_good_log_with_damaged_queues_index_and_checkpoint_gives_all_that_was_put() {
    run_random(2_000, 64, fuzz::derived);
}
