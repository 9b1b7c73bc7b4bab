//! A lent client as a connection: what the engine writes is taken apart, and replies are written as a server does.

use std::collections::VecDeque;
use std::task::{Context, Poll};

use super::{Gone, News};
use crate::client::lent::{Calling, Lent, Opening, Reporting};
use crate::client::{Command, Reply, Report, TransportError};

/// How many reports are taken before something else is done.
const MOST_REPORTS: usize = 64;

/// One opening of a lent client.
pub(super) struct LentLink {
    client: Lent,
    /// Until it is open.
    opening: Option<Opening>,
    /// Without an answer that was passed on, oldest first.
    calls: VecDeque<Call>,
    /// How many calls were begun, and how many of them have been answered.
    begun: u64,
    answered: u64,
    report: Option<Reporting>,
    /// Reports that wait for the answers to calls up to that one.
    late: VecDeque<(u64, Report)>,
    /// Why it is over, until that is passed on.
    ended: Option<Gone>,
}

struct Call {
    commands: Vec<Command>,
    calling: Calling,
    result: Option<Result<Vec<Reply>, TransportError>>,
}

impl Call {
    fn poll(&mut self, cx: &mut Context<'_>) {
        if self.result.is_none()
            && let Poll::Ready(result) = self.calling.as_mut().poll(cx)
        {
            self.result = Some(result);
        }
    }
}

impl LentLink {
    pub(super) fn new(client: &Lent) -> Self {
        Self {
            client: client.clone(),
            opening: Some(client.open()),
            calls: VecDeque::new(),
            begun: 0,
            answered: 0,
            report: None,
            late: VecDeque::new(),
            ended: None,
        }
    }

    /// Begins a call with these commands. True if it is over already.
    pub(super) fn send(&mut self, bytes: &[u8], cx: &mut Context<'_>) -> bool {
        if self.ended.is_some() {
            return true;
        }
        let commands = Command::of_bytes(bytes);
        let mut call = Call {
            calling: self.client.send(commands.clone()),
            commands,
            result: None,
        };
        call.poll(cx);
        let is_over = call.result.is_some();
        self.calls.push_back(call);
        self.begun += 1;
        is_over
    }

    /// Appends what came to `out`.
    pub(super) fn read(&mut self, out: &mut Vec<u8>, cx: &mut Context<'_>) -> Result<News, Gone> {
        if let Some(opening) = &mut self.opening {
            let Poll::Ready(opened) = opening.as_mut().poll(cx) else {
                return Ok(News::None);
            };
            self.opening = None;
            return match opened {
                Ok(()) => Ok(News::Connected),
                Err(error) => Err(gone(error)),
            };
        }
        if self.ended.is_none() {
            // All of them, in the order of the calls: each goes on only while it is polled.
            for call in &mut self.calls {
                call.poll(cx);
            }
            self.take_answers(out);
            self.take_reports(cx);
            self.pass_late_reports(out);
        }
        // What came before the end counts.
        if !out.is_empty() {
            return Ok(News::Received);
        }
        self.ended.take().map_or(Ok(News::None), Err)
    }

    fn take_answers(&mut self, out: &mut Vec<u8>) {
        while let Some(call) = self.calls.front_mut() {
            let Some(result) = call.result.take() else {
                return;
            };
            let answered = result
                .map_err(gone)
                .and_then(|replies| encode(&call.commands, &replies, out));
            if let Err(gone) = answered {
                self.ended = Some(gone);
                return;
            }
            self.calls.pop_front();
            self.answered += 1;
        }
    }

    /// A report counts as older than replies behind it, and one that comes late does no harm. So it waits for the replies to all
    /// calls that were begun: any of them may have come before it.
    fn take_reports(&mut self, cx: &mut Context<'_>) {
        while self.ended.is_none() {
            let report = self.report.get_or_insert_with(|| self.client.report());
            let Poll::Ready(report) = report.as_mut().poll(cx) else {
                return;
            };
            self.report = None;
            match report {
                Report::Gone(reason) => self.ended = Some(Gone::new(reason)),
                report @ (Report::Changed(_) | Report::AllChanged) => {
                    self.late.push_back((self.begun, report));
                    if self.late.len() >= MOST_REPORTS {
                        // Others want their turn, too.
                        cx.waker().wake_by_ref();
                        return;
                    }
                }
            }
        }
    }

    fn pass_late_reports(&mut self, out: &mut Vec<u8>) {
        while let Some((behind, report)) = self.late.front() {
            if *behind > self.answered {
                return;
            }
            out.extend_from_slice(b">2\r\n$10\r\ninvalidate\r\n");
            if let Report::Changed(key) = report {
                out.extend_from_slice(format!("*1\r\n${}\r\n", key.len()).as_bytes());
                out.extend_from_slice(key);
                out.extend_from_slice(b"\r\n");
            } else {
                out.extend_from_slice(b"_\r\n");
            }
            self.late.pop_front();
        }
    }
}

/// All replies or none: one that says nothing makes the others of its call as doubtful.
fn encode(commands: &[Command], replies: &[Reply], out: &mut Vec<u8>) -> Result<(), Gone> {
    let before = out.len();
    let (wanted, came) = (commands.len(), replies.len());
    if wanted != came {
        return Err(Gone::new(format!("{came} replies to {wanted} commands")));
    }
    for (command, reply) in commands.iter().zip(replies) {
        if !reply.encode(command, out) {
            out.truncate(before);
            let name = String::from_utf8_lossy(command.name());
            return Err(Gone::new(format!("a reply to {name} that no server gives")));
        }
    }
    Ok(())
}

fn gone(error: TransportError) -> Gone {
    Gone::new(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::{Arc, Mutex};
    use std::task::Waker;

    use super::*;
    use crate::client::CommandTransport;

    type Answer = Result<Vec<Reply>, &'static str>;

    /// What the test lets a client do.
    #[derive(Default)]
    struct Script {
        opened: bool,
        /// By call, from the first on.
        answers: Vec<Option<Answer>>,
        calls: usize,
        reports: VecDeque<Report>,
    }

    struct Scripted(Arc<Mutex<Script>>);

    fn ready<T>(value: Option<T>) -> Poll<T> {
        value.map_or(Poll::Pending, Poll::Ready)
    }

    impl CommandTransport for Scripted {
        async fn open(&self) -> Result<(), TransportError> {
            poll_fn(|_| ready(self.0.lock().expect("it").opened.then_some(Ok(())))).await
        }

        async fn send(&self, _: Vec<Command>) -> Result<Vec<Reply>, TransportError> {
            let call = self.0.lock().expect("it").calls;
            self.0.lock().expect("it").calls += 1;
            let answer = poll_fn(|_| {
                let mut script = self.0.lock().expect("it");
                ready(script.answers.get_mut(call).and_then(Option::take))
            });
            Ok(answer.await?)
        }

        async fn report(&self) -> Report {
            poll_fn(|_| ready(self.0.lock().expect("it").reports.pop_front())).await
        }
    }

    const PTTL: &[u8] = b"*2\r\n$4\r\nPTTL\r\n$1\r\nk\r\n";
    const CHANGED: &str = ">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n";

    /// An open link, what its client does, and a way to read it.
    struct Bench {
        link: LentLink,
        script: Arc<Mutex<Script>>,
    }

    impl Bench {
        fn new() -> Self {
            let script = Arc::<Mutex<Script>>::default();
            let link = LentLink::new(&Lent::new(Scripted(Arc::clone(&script))));
            let mut bench = Self { link, script };
            assert_eq!(bench.read(), "nothing");
            bench.script.lock().expect("it").opened = true;
            assert_eq!(bench.read(), "connected");
            bench
        }

        fn send(&mut self, bytes: &[u8]) -> bool {
            let mut cx = Context::from_waker(Waker::noop());
            self.link.send(bytes, &mut cx)
        }

        fn answer(&self, call: usize, answer: Answer) {
            let answers = &mut self.script.lock().expect("it").answers;
            answers.resize_with(answers.len().max(call + 1), || None);
            answers[call] = Some(answer);
        }

        fn report(&self, report: Report) {
            self.script.lock().expect("it").reports.push_back(report);
        }

        fn read(&mut self) -> String {
            let mut out = Vec::new();
            let mut cx = Context::from_waker(Waker::noop());
            match self.link.read(&mut out, &mut cx) {
                Ok(News::None) => "nothing".into(),
                Ok(News::Connected) => "connected".into(),
                Ok(News::Received) => String::from_utf8(out).expect("text"),
                Ok(News::Gone(gone)) | Err(gone) => format!("gone: {}", gone.message),
            }
        }
    }

    fn one(number: i64) -> Answer {
        Ok(vec![Reply::Integer(number)])
    }

    #[test]
    fn replies_are_passed_on_in_the_order_of_the_calls() {
        let mut bench = Bench::new();
        assert!(!bench.send(PTTL) && !bench.send(PTTL));
        bench.answer(1, one(2));
        assert_eq!(bench.read(), "nothing");
        bench.answer(0, one(1));
        assert_eq!(bench.read(), ":1\r\n:2\r\n");
        bench.answer(2, one(3));
        assert!(bench.send(PTTL), "it is answered at once");
        assert_eq!(bench.read(), ":3\r\n");
    }

    #[test]
    fn a_report_waits_for_the_replies_that_may_be_older() {
        let mut bench = Bench::new();
        bench.send(PTTL);
        bench.send(PTTL);
        bench.report(Report::Changed(b"k".to_vec()));
        assert_eq!(bench.read(), "nothing");
        bench.answer(0, one(1));
        assert_eq!(bench.read(), ":1\r\n");
        // A call that was begun later is not waited for.
        bench.send(PTTL);
        bench.answer(1, one(2));
        assert_eq!(bench.read(), format!(":2\r\n{CHANGED}"));
        bench.answer(2, one(3));
        assert_eq!(bench.read(), ":3\r\n");
        bench.report(Report::AllChanged);
        assert_eq!(bench.read(), ">2\r\n$10\r\ninvalidate\r\n_\r\n");
    }

    #[test]
    fn bytes_before_an_error_count() {
        let mut bench = Bench::new();
        for _ in 0..3 {
            bench.send(PTTL);
        }
        bench.answer(0, one(1));
        bench.answer(1, Err("lost"));
        bench.answer(2, one(3));
        assert_eq!(bench.read(), ":1\r\n");
        assert_eq!(bench.read(), "gone: lost");
    }

    #[test]
    fn a_lost_connection_is_reported_at_once() {
        let mut bench = Bench::new();
        bench.send(PTTL);
        bench.report(Report::Gone("cut".into()));
        assert_eq!(bench.read(), "gone: cut");
    }

    #[test]
    fn a_call_counts_as_a_whole_or_not_at_all() {
        let two = [PTTL, PTTL].concat();
        let cases: [(Answer, &str); 2] = [
            (one(1), "gone: 1 replies to 2 commands"),
            (
                Ok(vec![Reply::Integer(1), Reply::Nil]),
                "gone: a reply to PTTL that no server gives",
            ),
        ];
        for (answer, expected) in cases {
            let mut bench = Bench::new();
            bench.send(&two);
            bench.answer(0, answer);
            assert_eq!(bench.read(), expected);
        }
    }
}
