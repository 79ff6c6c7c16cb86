//! SQL of the finance overview. It reads the views of `wallet_ledger`, with the caller's rights.

use super::rules::{Bucket, Period};
use crate::error::Result;
use crate::spi::{Argument, Row, Session, Statement};
use const_format::concatcp;
use pgrx::pg_sys::{TEXTOID, TIMESTAMPOID, TIMESTAMPTZOID};
use rust_decimal::Decimal;

/// Everything that counts in the period $2 <= at < $3 of the ledger $1, at its moment: what each event adds.
const FLOWS: &str = "
    SELECT opened_at AS at, currency, 1 AS escrows, amount AS gmv, 0 AS released, 0 AS fees, 0 AS refunded,
           0 AS topups, 0 AS topped_up, 0 AS revenue
    FROM wallet_ledger.escrows WHERE ledger = $1 AND opened_at >= $2 AND opened_at < $3
    UNION ALL
    SELECT c.created_at, e.currency, 0, 0, c.released_amount, 0, 0, 0, 0, 0
    FROM wallet_ledger.escrow_actions c JOIN wallet_ledger.escrows e ON e.ledger = c.ledger AND e.id = c.escrow_id
    WHERE c.ledger = $1 AND c.created_at >= $2 AND c.created_at < $3 AND c.released_amount > 0
    UNION ALL
    SELECT created_at, currency, 0, 0, 0, net_fee_amount, 0, 0, 0, 0
    FROM wallet_ledger.fee_report WHERE ledger = $1 AND created_at >= $2 AND created_at < $3
    UNION ALL
    SELECT created_at, currency, 0, 0, 0, 0, amount, 0, 0, 0
    FROM wallet_ledger.refund_report WHERE ledger = $1 AND created_at >= $2 AND created_at < $3
    UNION ALL
    SELECT effective_at, currency, 0, 0, 0, 0, 0, CASE WHEN reverses_id IS NULL THEN 1 ELSE 0 END,
           amount - reversed_amount, 0
    FROM wallet_ledger.topups WHERE ledger = $1 AND effective_at >= $2 AND effective_at < $3
    UNION ALL
    SELECT effective_at, currency, 0, 0, 0, 0, 0, 0, 0, credit_amount - debit_amount
    FROM wallet_ledger.revenue_entries WHERE ledger = $1 AND effective_at >= $2 AND effective_at < $3";

const SUMS: &str = "sum(escrows) AS escrows, sum(gmv) AS gmv, sum(released) AS released, sum(fees) AS fees,
     sum(refunded) AS refunded, sum(topups) AS topups, sum(topped_up) AS topped_up, sum(revenue) AS revenue";

/// The sums of `t`, as [`turnover`] reads them. Zero rupiah is `0.00`: every sum has its currency's decimals.
const TURNOVER: &str = "x.currency, coalesce(t.escrows, 0),
     round(coalesce(t.gmv, 0), x.scale), round(coalesce(t.released, 0), x.scale),
     round(coalesce(t.fees, 0), x.scale), round(coalesce(t.refunded, 0), x.scale), coalesce(t.topups, 0),
     round(coalesce(t.topped_up, 0), x.scale), round(coalesce(t.revenue, 0), x.scale)";

static OVERVIEW: Statement = Statement::new(
    concatcp!(
        "WITH flows AS (", FLOWS, "),
         turnover AS (SELECT currency, ", SUMS, " FROM flows GROUP BY currency),
         waiting AS (
             SELECT currency, sum(held_amount) AS held FROM wallet_ledger.escrows
             WHERE ledger = $1 AND status IN ('held', 'shipped', 'disputed') GROUP BY currency),
         due AS (
             SELECT currency, count(*) AS n, sum(held_amount) AS amount FROM wallet_ledger.escrows_ready_for_release
             WHERE ledger = $1 GROUP BY currency),
         disputed AS (
             SELECT currency, count(*) AS n, sum(held_amount) AS amount FROM wallet_ledger.open_disputes
             WHERE ledger = $1 GROUP BY currency),
         unverified AS (
             SELECT currency, count(*) AS n, sum(total) AS amount FROM wallet_ledger.intents
             WHERE ledger = $1 AND status = 'pending_verification' GROUP BY currency),
         wallets AS (SELECT currency, posted, available FROM wallet_ledger.platform_float WHERE ledger = $1),
         used AS (
             SELECT currency FROM wallet_ledger.ledgers WHERE ledger = $1
             UNION SELECT currency FROM turnover UNION SELECT currency FROM waiting
             UNION SELECT currency FROM unverified UNION SELECT currency FROM wallets)
         SELECT ", TURNOVER, ",
                round(coalesce(waiting.held, 0), x.scale), coalesce(due.n, 0), round(coalesce(due.amount, 0), x.scale),
                coalesce(disputed.n, 0), round(coalesce(disputed.amount, 0), x.scale), coalesce(unverified.n, 0),
                round(coalesce(unverified.amount, 0), x.scale), round(coalesce(wallets.posted, 0), x.scale),
                round(coalesce(wallets.available, 0), x.scale)
         FROM used JOIN wallet_ledger.currencies x USING (currency)
         LEFT JOIN turnover t USING (currency) LEFT JOIN waiting USING (currency) LEFT JOIN due USING (currency)
         LEFT JOIN disputed USING (currency) LEFT JOIN unverified USING (currency) LEFT JOIN wallets USING (currency)
         ORDER BY currency"
    ),
    &[TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID],
);

// The first and the last bucket of the period, by the ledger's clock on the wall. An open period begins with what
// happened first, and ends now, or with what is dated ahead.
static SPAN: Statement = Statement::new(
    concatcp!(
        "WITH flows AS (", FLOWS, "),
         ends AS (
             SELECT CASE WHEN isfinite($2::timestamptz) THEN $2 ELSE (SELECT min(at) FROM flows) END AS first,
                    CASE WHEN isfinite($3::timestamptz) THEN $3 - interval '1 microsecond'
                         ELSE greatest((SELECT max(at) FROM flows), statement_timestamp()) END AS last),
         buckets AS (
             SELECT date_trunc($4, coalesce(e.first, e.last) AT TIME ZONE l.timezone) AS first,
                    date_trunc($4, e.last AT TIME ZONE l.timezone) AS last
             FROM ends e, wallet_ledger.ledgers l WHERE l.ledger = $1)
         SELECT first, last,
                CASE $4 WHEN 'month' THEN (extract(year FROM last) - extract(year FROM first)) * 12
                                          + extract(month FROM last) - extract(month FROM first)
                        ELSE (last::date - first::date) / CASE $4 WHEN 'week' THEN 7 ELSE 1 END END::bigint + 1
         FROM buckets"
    ),
    &[TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID],
);

static TREND: Statement = Statement::new(
    concatcp!(
        "WITH flows AS (",
        FLOWS,
        "),
         turnover AS (
             SELECT date_trunc($4, at AT TIME ZONE l.timezone) AS bucket, f.currency, ",
        SUMS,
        "
             FROM flows f, wallet_ledger.ledgers l WHERE l.ledger = $1 GROUP BY bucket, f.currency),
         used AS (
             SELECT currency FROM wallet_ledger.ledgers WHERE ledger = $1 UNION SELECT currency FROM turnover)
         SELECT ",
        TURNOVER,
        ", b.bucket::date, (b.bucket + ('1 ' || $4)::interval)::date
         FROM generate_series($5, $6, ('1 ' || $4)::interval) AS b (bucket)
         CROSS JOIN used JOIN wallet_ledger.currencies x USING (currency)
         LEFT JOIN turnover t ON t.bucket = b.bucket AND t.currency = x.currency
         ORDER BY b.bucket, x.currency"
    ),
    &[TEXTOID, TIMESTAMPTZOID, TIMESTAMPTZOID, TEXTOID, TIMESTAMPOID, TIMESTAMPOID],
);

/// What has moved in a period, in one currency.
pub struct Turnover {
    pub currency: String,
    pub escrows: i64,
    pub gmv: Decimal,
    pub released: Decimal,
    pub fees: Decimal,
    pub refunded: Decimal,
    pub topups: i64,
    pub topped_up: Decimal,
    pub revenue: Decimal,
}

/// How it stands now, in one currency.
pub struct Now {
    pub held: Decimal,
    pub due: (i64, Decimal),
    pub disputed: (i64, Decimal),
    pub unverified: (i64, Decimal),
    pub float: Decimal,
    pub float_available: Decimal,
}

/// The first and the last bucket of a period, by the clock on the wall, and how many there are.
pub struct Span {
    pub first: i64,
    pub last: i64,
    pub count: i64,
}

/// What has moved in one bucket, in one currency: from the day `begins` to the day before `ends`, counted from
/// 2000-01-01.
pub struct Part {
    pub turnover: Turnover,
    pub begins: i32,
    pub ends: i32,
}

fn arguments(ledger: &str, period: Period) -> Vec<Argument> {
    vec![ledger.into(), period.from.into(), period.to.into()]
}

/// A sum. It may have more digits than any amount or balance.
fn sum(row: &Row, column: usize, name: &str) -> Result<Decimal> {
    row.need_number(column).finite(name)
}

fn turnover(row: &Row) -> Result<Turnover> {
    Ok(Turnover {
        currency: row.need(0),
        escrows: row.need(1),
        gmv: sum(row, 2, "gmv")?,
        released: sum(row, 3, "released_amount")?,
        fees: sum(row, 4, "fees_collected")?,
        refunded: sum(row, 5, "refunded_amount")?,
        topups: row.need(6),
        topped_up: sum(row, 7, "topup_amount")?,
        revenue: sum(row, 8, "revenue_amount")?,
    })
}

fn now(row: &Row) -> Result<Now> {
    Ok(Now {
        held: sum(row, 9, "held_amount")?,
        due: (row.need(10), sum(row, 11, "releases_due_amount")?),
        disputed: (row.need(12), sum(row, 13, "disputed_amount")?),
        unverified: (row.need(14), sum(row, 15, "payments_to_verify_amount")?),
        float: sum(row, 16, "platform_float")?,
        float_available: sum(row, 17, "platform_float_available")?,
    })
}

/// The sums of a period and of this moment, by currency.
pub fn overview(session: &Session, ledger: &str, period: Period) -> Result<Vec<(Turnover, Now)>> {
    let rows = session.read(&OVERVIEW, &arguments(ledger, period));
    rows.iter().map(|row| Ok((turnover(&row)?, now(&row)?))).collect()
}

/// Which buckets a period has.
pub fn span(session: &Session, ledger: &str, period: Period, bucket: Bucket) -> Span {
    let mut arguments = arguments(ledger, period);
    arguments.push(bucket.name().into());
    let rows = session.read(&SPAN, &arguments);
    let row = rows.first().expect("the ledger was just found");
    Span { first: row.need_time(0), last: row.need_time(1), count: row.need(2) }
}

/// The sums of each bucket, by bucket and currency.
pub fn trend(
    session: &Session,
    ledger: &str,
    period: Period,
    bucket: Bucket,
    span: &Span,
) -> Result<Vec<Part>> {
    let mut arguments = arguments(ledger, period);
    arguments.extend::<[Argument; 3]>([bucket.name().into(), span.first.into(), span.last.into()]);
    let rows = session.read(&TREND, &arguments);
    let part = |row: Row| Ok(Part { turnover: turnover(&row)?, begins: row.need(9), ends: row.need(10) });
    rows.iter().map(part).collect()
}
