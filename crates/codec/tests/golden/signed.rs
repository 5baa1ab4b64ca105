use std::collections::BTreeMap;

use rocketmq_codec::{Command, FrameWriter, Head, Signer};

use crate::{bytes, lines, unhex};

const FILE: &str = include_str!("../../../testkit/golden/signed.txt");
const FIELDS_OF_SIGNER: [&str; 3] = ["AccessKey", "SecurityToken", "Signature"];

/// The users of `SignedFrames.java`.
fn signer(user: &str) -> Signer {
    match user {
        "alice" => Signer::new(user, "12345678", None),
        "bob" => Signer::new(user, "grüße", Some("token/+=")),
        "carol" => Signer::new(user, &"k".repeat(100), None),
        _ => panic!("unknown user {user}"),
    }
}

/// The fields of `command` but the signer's, signed by us. `turned` says in which order they are written.
fn sign_again(command: &Command<'_>, signer: &Signer, turned: bool) -> Vec<u8> {
    let mut fields: BTreeMap<&str, &str> = command.ext.iter().collect();
    fields.retain(|name, _| !FIELDS_OF_SIGNER.contains(name));
    let mut out = b"before".to_vec();
    let head = Head { flag: command.flag, ..Head::request(command.code, command.opaque) };
    let mut frame = FrameWriter::begin(&mut out, command.serialize_type, head);
    frame.sign_with(signer);
    let ordered: Vec<_> = if turned { fields.into_iter().rev().collect() } else { fields.into_iter().collect() };
    for (name, value) in ordered {
        frame.ext_str(name, value);
    }
    frame.begin_body().extend_from_slice(command.body);
    frame.finish().unwrap();
    out.split_off(6)
}

#[test]
fn frames_are_signed_as_apaches_client_signs_them() {
    for (name, hex) in lines(FILE) {
        let [what, user, _] = *name.split('.').collect::<Vec<_>>() else { panic!("{name}") };
        if what == "empty_value" {
            continue;
        }
        let golden = unhex(hex);
        let golden = Command::decode(&golden).unwrap();
        for turned in [false, true] {
            let ours = sign_again(&golden, &signer(user), turned);
            let ours = Command::decode(&ours).unwrap();
            let fields = |command: &Command<'_>| -> BTreeMap<String, String> {
                command.ext.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
            };
            assert_eq!(fields(&ours), fields(&golden), "{name}");
            assert_eq!(ours.body, golden.body, "{name}");
        }
    }
}

#[test]
fn an_empty_value_of_a_binary_header_is_signed_as_the_broker_reads_it() {
    let golden = bytes(FILE, "empty_value.alice.rocketmq");
    let golden = Command::decode(&golden).unwrap();
    let mut ours = Vec::new();
    let signer = signer("alice");
    let mut frame = FrameWriter::begin(&mut ours, golden.serialize_type, Head::request(golden.code, golden.opaque));
    frame.sign_with(&signer);
    frame.ext_str("topic", "");
    frame.ext_str("group", "CG");
    frame.finish().unwrap();
    let ours = Command::decode(&ours).unwrap();
    assert_eq!(ours.ext.get("Signature"), golden.ext.get("Signature"));
}

#[test]
fn a_signer_that_is_printed_tells_no_secret() {
    let printed = format!("{:?}", Signer::new("alice", "the secret", Some("the token")));
    assert!(printed.contains("alice") && !printed.contains("secret") && !printed.contains("token"), "{printed}");
}
