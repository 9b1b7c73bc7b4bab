//! The header for HTTP, with the server of the example.

use tenure_core::Fence;

use crate::{Guard, ROUNDS, Resource, stale_writes, the_largest_fence_counts};

#[path = "../../../adapters/tenure/examples/fenced_store.rs"]
#[allow(dead_code, reason = "the example has a program, too")]
mod store;

struct Report(store::Client);

impl Report {
    fn put(&mut self, fence: Option<&str>, body: &str) -> u16 {
        let sent = self.0.send("PUT /report", fence, body);
        sent.expect("a response").0
    }
}

impl Resource for Report {
    fn write(&mut self, fence: Fence, value: u64) -> bool {
        match self.put(Some(&fence.to_string()), &value.to_string()) {
            204 => true,
            412 => false,
            other => panic!("{other}"),
        }
    }

    /// As a server without a guard: it is sure that this is the newest.
    fn overwrite(&mut self, value: u64) {
        assert_eq!(self.put(Some("1"), &value.to_string()), 204);
    }

    fn read(&mut self) -> u64 {
        let (status, body) = self.0.send("GET /report", None, "").expect("a response");
        assert_eq!(status, 200);
        body.parse().expect("a number")
    }
}

fn report() -> Report {
    let address = store::start().expect("a server");
    Report(store::Client::connect(address).expect("a connection"))
}

#[test]
fn no_stale_write_gets_through_the_header() {
    assert_eq!(stale_writes(&mut report(), Guard::Missing), ROUNDS);
    assert_eq!(stale_writes(&mut report(), Guard::Used), 0);
    the_largest_fence_counts(&mut report());
}

#[test]
fn each_fault_has_its_status() {
    let mut report = report();
    assert_eq!(report.put(Some("7"), "1"), 204);
    for (fence, status) in [
        (None, 428),
        (Some(""), 400),
        (Some("-8"), 400),
        (Some("nightly"), 400),
        (Some("6"), 412),
    ] {
        assert_eq!(report.put(fence, "2"), status, "{fence:?}");
    }
    assert_eq!(report.read(), 1);
}
