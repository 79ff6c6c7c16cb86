//! The private server that the tests talk to, and PostgreSQL's own programs.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tokio::process::Command;
use tokio_postgres::{Client, Config, NoTls};

/// Where a private server is. The one that all tests share is `Cluster::get()`.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The folder of the server's Unix socket.
    pub socket: PathBuf,
    pub port: u16,
    /// The folder of the private copy of PostgreSQL's programs.
    pub bin: PathBuf,
    /// One word for this build of the extension.
    pub build: String,
    /// The user of the operating system that server programs must run as.
    pub os_user: String,
    pub data: PathBuf,
    pub log: PathBuf,
}

impl Cluster {
    /// The server that `scripts/test.sh` has started.
    pub fn get() -> &'static Cluster {
        static CLUSTER: OnceLock<Cluster> = OnceLock::new();
        CLUSTER.get_or_init(|| {
            Cluster::from_variables(|name| std::env::var(name).ok()).unwrap_or_else(|missing| {
                panic!(
                    "{missing} is not set: these tests need the private server that `make test` \
                     starts. Run `make test`, or `scripts/test.sh --test <file>` for one file."
                )
            })
        })
    }

    /// Another server, started by the test itself: what `scripts/cluster.sh <args>` says with
    /// `WL_CLUSTER=<name>`. A crash test starts, kills and starts again its own one this way.
    pub async fn script(name: &str, settings: &str, action: &str) -> String {
        let mut command = Command::new(root().join("scripts/cluster.sh"));
        command.arg(action).env("WL_CLUSTER", name).env("WL_PG_SETTINGS", settings);
        run(&mut command).await
    }

    /// Starts the cluster of that name and says where it is. Stop it with
    /// `Cluster::script(name, "", "destroy")`.
    pub async fn start(name: &str, settings: &str) -> Cluster {
        Cluster::script(name, settings, "start").await;
        let printed = Cluster::script(name, settings, "env").await;
        let value = |name: &str| {
            let mark = format!(" {name}=");
            let rest = &printed[printed.find(&mark)? + mark.len()..];
            rest.split_whitespace().next().map(str::to_owned)
        };
        Cluster::from_variables(value).expect("`scripts/cluster.sh env` prints every variable")
    }

    fn from_variables(value: impl Fn(&str) -> Option<String>) -> Result<Cluster, String> {
        let get = |name: &str| value(name).filter(|v| !v.is_empty()).ok_or(name.to_owned());
        Ok(Cluster {
            socket: get("WL_TEST_SOCKET")?.into(),
            port: get("WL_TEST_PORT")?.parse().map_err(|_| "WL_TEST_PORT, as a number,")?,
            bin: get("WL_TEST_BIN")?.into(),
            build: get("WL_TEST_BUILD")?,
            os_user: get("WL_TEST_OS_USER")?,
            data: get("WL_TEST_DATA")?.into(),
            log: get("WL_TEST_LOG")?.into(),
        })
    }

    pub fn config(&self, database: &str) -> Config {
        let mut config = Config::new();
        config
            .host_path(&self.socket)
            .port(self.port)
            .user("postgres")
            .dbname(database)
            .application_name("wallet_ledger_tests");
        config
    }

    /// A connection as the superuser, if the server takes one.
    pub async fn try_connect(&self, database: &str) -> Result<Client, tokio_postgres::Error> {
        let (client, connection) = self.config(database).connect(NoTls).await?;
        tokio::spawn(async move {
            // A killed server ends the connection; whoever used it sees that for themselves.
            let _ = connection.await;
        });
        Ok(client)
    }

    /// A connection as the superuser.
    pub async fn connect(&self, database: &str) -> Client {
        self.try_connect(database)
            .await
            .unwrap_or_else(|e| panic!("cannot connect to {database}: {}", explain(&e)))
    }

    /// One of PostgreSQL's programs (psql, pg_dump, pgbench, pg_amcheck, …), ready to talk to
    /// this server as the superuser.
    pub fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.bin.join(name));
        self.environment(&mut command);
        command
    }

    /// The same for a program that refuses to run as root (pg_ctl, initdb, pg_basebackup, …).
    pub fn server_program(&self, name: &str) -> Command {
        let me = std::env::var("USER").unwrap_or_default();
        if self.os_user == me || !running_as_root() {
            return self.program(name);
        }
        let mut command = Command::new("runuser");
        command.args(["-u", &self.os_user, "--"]).arg(self.bin.join(name)).current_dir("/");
        self.environment(&mut command);
        command
    }

    fn environment(&self, command: &mut Command) {
        command
            .env("PGHOST", &self.socket)
            .env("PGPORT", self.port.to_string())
            .env("PGUSER", "postgres")
            .env_remove("PGDATABASE")
            .env_remove("PGOPTIONS")
            .env_remove("RUST_BACKTRACE")
            .kill_on_drop(true);
    }
}

/// Runs a program to its end and returns what it printed; panics with both outputs if it fails.
pub async fn run(command: &mut Command) -> String {
    let output = command
        .output()
        .await
        .unwrap_or_else(|e| panic!("cannot run {:?}: {e}", command.as_std().get_program()));
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(
        output.status.success(),
        "{:?} ended with {}\n{}\n{}",
        command.as_std(),
        output.status,
        text(&output.stdout),
        text(&output.stderr),
    );
    text(&output.stdout)
}

/// The folder of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the project")
}

/// An error with the server's part of it, which `Display` leaves out.
pub fn explain(error: &tokio_postgres::Error) -> String {
    match error.as_db_error() {
        Some(db) => format!("{} {} {:?} {:?}", db.code().code(), db.message(), db.detail(), db.hint()),
        None => format!("{error}: {:?}", std::error::Error::source(error)),
    }
}

fn running_as_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0)
}
