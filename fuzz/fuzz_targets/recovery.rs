#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rocketmq_testkit::fuzz::recovery(bytes));
