//! The scripts with counters. Numbers of two servers differ where they come from the time, so here every counter is ahead of it.

use tenure_core::redis::Script;
use tenure_tests::servers::{Kind, Server};

use crate::pair::{Pair, words};

const OBTAIN: &str = Script::Obtain.sha();
const REFRESH: &str = Script::Refresh.sha();

#[test]
fn counters_step_and_rise_alike() {
    for kind in Kind::ALL {
        let server = Server::start(kind);
        let mut pair = Pair::new(&server, kind);
        for script in [Script::Obtain, Script::Refresh] {
            let load = [b"SCRIPT".to_vec(), b"LOAD".to_vec(), script.text().into()];
            pair.step(2, &load.to_vec()).unwrap();
        }
        let (day, ahead) = (86_400_000, 4_000_000_000_000_000_u64);
        let lines = [
            format!("SET f {ahead}"),
            format!("EVALSHA {OBTAIN} 2 k f me 100000 forever"),
            "GET f".to_owned(),
            "PERSIST f".to_owned(),
            format!("EVALSHA {OBTAIN} 2 k f me 100000 {day}"),
            "PERSIST f".to_owned(),
            format!("EVALSHA {OBTAIN} 2 k f other 100000 {day}"),
            "GET f".to_owned(),
            // Several keys have one number, larger than each counter.
            format!("SET fa {}", ahead + 9),
            format!("SET fb {}", ahead + 5),
            format!("EVALSHA {OBTAIN} 4 a b fa fb me 100000 {day}"),
            "GET fa".to_owned(),
            "GET fb".to_owned(),
            format!("EVALSHA {OBTAIN} 4 a c fa fc other 100000 {day}"),
            "EXISTS c fc".to_owned(),
            // What is no counter is left alone.
            "SET odd seven".to_owned(),
            format!("EVALSHA {OBTAIN} 2 x odd me 100000 {day}"),
            "GET odd".to_owned(),
            "HSET hash field value".to_owned(),
            format!("EVALSHA {OBTAIN} 2 x hash me 100000 {day}"),
            "EXISTS x".to_owned(),
            // A counter is raised, and never lowered; and only where the key is ours.
            format!("EVALSHA {REFRESH} 2 k f me 100000  {day} {}", ahead + 500),
            "GET f".to_owned(),
            format!(
                "EVALSHA {REFRESH} 2 k f me 100000 keep forever {}",
                ahead + 400
            ),
            "GET f".to_owned(),
            format!(
                "EVALSHA {REFRESH} 2 k f other 100000  {day} {}",
                ahead + 900
            ),
            "GET f".to_owned(),
            format!("EVALSHA {REFRESH} 2 k new me 100000  forever {ahead}"),
            "GET new".to_owned(),
            "PERSIST new".to_owned(),
        ];
        // Those who read a counter are notified when somebody changes it.
        for (step, line) in lines.iter().enumerate() {
            let answered = pair.step(step % 3, &words(line));
            assert_eq!(answered, Ok(()), "{kind:?}: {line}");
        }
    }
}
