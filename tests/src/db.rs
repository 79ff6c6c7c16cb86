//! A database of its own for each test.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::Value;
use tokio::sync::OnceCell;
use tokio_postgres::Client;
use tokio_postgres::types::ToSql;

use crate::cluster::Cluster;

/// A fresh database, dropped when this value goes, unless `WL_KEEP=1`.
pub struct TestDb {
    pub name: String,
    pub cluster: Cluster,
}

impl TestDb {
    /// With the extension created and the data schema installed, but no ledger in it.
    pub async fn new(test: &str) -> TestDb {
        let cluster = Cluster::get();
        let template = template(cluster).await;
        TestDb::create(cluster, test, &template).await
    }

    /// The same with the ledger `main` in it, in the currency IDR.
    pub async fn with_ledger(test: &str) -> TestDb {
        let db = TestDb::new(test).await;
        let client = db.connect().await;
        client
            .execute("SELECT wallet_ledger.create_ledger('main')", &[])
            .await
            .unwrap_or_else(|e| panic!("create_ledger: {}", crate::cluster::explain(&e)));
        db
    }

    /// With nothing in it: for what CREATE EXTENSION, install() or a restore put there.
    pub async fn empty(test: &str) -> TestDb {
        let cluster = Cluster::get();
        // The roles, which all databases share, are made with the template: once.
        template(cluster).await;
        TestDb::create(cluster, test, "template0").await
    }

    /// A database of that template on any server. The name is made unique.
    pub async fn create(cluster: &Cluster, test: &str, template: &str) -> TestDb {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let short: String = test.chars().take(30).collect();
        let name = format!("wl_{short}_{}_{number}", std::process::id());
        execute(
            &cluster.connect("postgres").await,
            &format!("CREATE DATABASE \"{name}\" TEMPLATE \"{template}\""),
        )
        .await;
        TestDb { name, cluster: cluster.clone() }
    }

    /// A connection as the superuser.
    pub async fn connect(&self) -> Client {
        self.cluster.connect(&self.name).await
    }

    /// A connection that has put on that role: `wallet_app`, `wallet_auditor`, ….
    pub async fn connect_as(&self, role: &str) -> Client {
        let client = self.connect().await;
        execute(&client, &format!("SET ROLE \"{role}\"")).await;
        client
    }

    /// A connection as a trusted backend has it.
    pub async fn app(&self) -> Client {
        self.connect_as("wallet_app").await
    }

    /// A role of this test alone, made with these words (`LOGIN IN ROLE wallet_app`, say); it is
    /// dropped with the database. Roles are the whole server's, so the name is made unique.
    pub async fn role(&self, suffix: &str, words: &str) -> String {
        let role = format!("{}_{suffix}", self.name);
        execute(&self.connect().await, &format!("CREATE ROLE \"{role}\" {words}")).await;
        role
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        if std::env::var("WL_KEEP").is_ok_and(|v| v == "1") {
            eprintln!("kept: database {}", self.name);
            return;
        }
        // Through psql, because nothing can be awaited here; a server that was killed is no reason
        // to hide what the test itself had to say.
        let drop_roles = format!(
            "SELECT format('DROP ROLE %I', rolname) FROM pg_roles \
             WHERE starts_with(rolname, '{}_') \\gexec",
            self.name
        );
        let output = std::process::Command::new(self.cluster.bin.join("psql"))
            .args(["-X", "-q", "-h"])
            .arg(&self.cluster.socket)
            .args(["-p", &self.cluster.port.to_string(), "-U", "postgres", "-d", "postgres"])
            .args(["-c", &format!("DROP DATABASE IF EXISTS \"{}\" WITH (FORCE)", self.name)])
            .stdin(std::process::Stdio::piped())
            .args(["-f", "-"])
            .stdout(std::process::Stdio::null())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .and_then(|mut child| {
                use std::io::Write;
                child.stdin.take().expect("piped").write_all(drop_roles.as_bytes())?;
                child.wait_with_output()
            });
        if let Ok(output) = output
            && !output.stderr.is_empty()
        {
            eprintln!("{}: {}", self.name, String::from_utf8_lossy(&output.stderr));
        }
    }
}

/// The template database of this build: made once per server, whichever test comes first, in
/// whichever process.
async fn template(cluster: &Cluster) -> String {
    static TEMPLATE: OnceCell<String> = OnceCell::const_new();
    TEMPLATE.get_or_init(|| make_template(cluster)).await.clone()
}

async fn make_template(cluster: &Cluster) -> String {
    let name = format!("wl_template_{}", cluster.build);
    let client = cluster.connect("postgres").await;
    execute(&client, "SELECT pg_advisory_lock(hashtext('wallet_ledger tests: template'))").await;
    let existing = client
        .query("SELECT datname FROM pg_database WHERE datname ^@ 'wl_template_'", &[])
        .await
        .expect("pg_database");
    // What an earlier build, or a run that was interrupted here, has left.
    let mut ready = false;
    for row in existing {
        let found: String = row.get(0);
        if found == name {
            ready = true;
        } else {
            // In use by another run, perhaps: then it stays.
            let _ = client.batch_execute(&format!("DROP DATABASE \"{found}\" WITH (FORCE)")).await;
        }
    }
    if !ready {
        let unfinished = format!("wl_template_{}_unfinished", cluster.build);
        execute(&client, &format!("CREATE DATABASE \"{unfinished}\" TEMPLATE template0")).await;
        {
            let inside = cluster.connect(&unfinished).await;
            execute(&inside, "CREATE EXTENSION wallet_ledger; SELECT wallet_ledger.install()").await;
        }
        // The session above ends a moment later; nobody may be inside while it is renamed.
        execute(
            &client,
            &format!(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity \
                 WHERE datname = '{unfinished}'"
            ),
        )
        .await;
        execute(&client, &format!("ALTER DATABASE \"{unfinished}\" RENAME TO \"{name}\"")).await;
    }
    execute(&client, "SELECT pg_advisory_unlock_all()").await;
    name
}

/// Runs statements that must succeed.
pub async fn execute(client: &Client, sql: &str) {
    client.batch_execute(sql).await.unwrap_or_else(|e| panic!("{sql}: {}", crate::cluster::explain(&e)));
}

/// The rows of a query as JSON objects.
pub async fn rows(
    client: &Client,
    query: &str,
    parameters: &[&(dyn ToSql + Sync)],
) -> Result<Vec<Value>, tokio_postgres::Error> {
    let sql = format!("SELECT to_jsonb(q) FROM ({query}) AS q");
    Ok(client.query(&sql, parameters).await?.iter().map(|row| row.get(0)).collect())
}

/// Asserts that the verifier finds nothing in the ledger `main`.
pub async fn verify_clean(client: &Client) {
    verify_clean_ledger(client, "main").await;
}

/// Asserts that the verifier finds nothing in a ledger.
pub async fn verify_clean_ledger(client: &Client, ledger: &str) {
    let findings = rows(client, "SELECT * FROM wallet_ledger.verify_ledger($1)", &[&ledger])
        .await
        .unwrap_or_else(|e| panic!("verify_ledger: {}", crate::cluster::explain(&e)));
    assert!(findings.is_empty(), "verify_ledger('{ledger}') found {findings:#?}");
}
