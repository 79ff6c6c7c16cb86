//! Tests that count what is spent in a day do not begin shortly before the day ends.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, Timelike, Utc};

/// Midnight of the ledgers of tests: Asia/Jakarta is seven hours ahead of UTC all the year.
const MIDNIGHT_UTC: u32 = 17;
/// Longer than a test lasts, also on a machine with other work.
const DAY_LEFT: u32 = 5 * 60;
/// Longer than one call lasts.
const HOUR_LEFT: u32 = 30;
const HOUR: u32 = 3600;

/// How many seconds of the clock's hour are over.
fn into_the_hour(now: DateTime<Utc>) -> u32 {
    now.minute() * 60 + now.second()
}

/// Waits until the day of Jakarta has five minutes left, with everything that ends with a day: weeks, months,
/// windows. Returns the time, in microseconds as PostgreSQL keeps it.
pub async fn away_from_midnight() -> DateTime<Utc> {
    loop {
        let now = Utc::now().trunc_subsecs(6);
        if now.hour() != MIDNIGHT_UTC - 1 || into_the_hour(now) < HOUR - DAY_LEFT {
            return now;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Waits until the hour has half a minute left: enough for one call that looks at windows which end with an hour,
/// or at a day.
pub async fn away_from_the_hour() {
    while into_the_hour(Utc::now()) >= HOUR - HOUR_LEFT {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
