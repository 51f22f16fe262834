//! The tables of routerd's database that routerctl's action path uses.

use rusqlite::Connection;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS objects (
  api_version TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  uid TEXT,
  resource_version INTEGER NOT NULL DEFAULT 1,
  observed_generation INTEGER,
  last_applied_path TEXT,
  status TEXT,
  created_at TEXT NOT NULL,
  modified_at TEXT NOT NULL,
  PRIMARY KEY(api_version, kind, name)
);
CREATE TABLE IF NOT EXISTS events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  api_version TEXT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  type TEXT NOT NULL,
  reason TEXT NOT NULL,
  message TEXT NOT NULL,
  generation INTEGER,
  created_at TEXT NOT NULL
, topic TEXT, source_kind TEXT, source_instance TEXT, resource_api_version TEXT,
  resource_kind TEXT, resource_name TEXT, severity TEXT, attributes TEXT);
CREATE INDEX IF NOT EXISTS events_type ON events(type, id);
CREATE TABLE IF NOT EXISTS dynamic_config_parts (
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL,
  generation INTEGER NOT NULL,
  observed_at TEXT NOT NULL,
  expires_at TEXT NOT NULL,
  digest TEXT NOT NULL,
  resources_json TEXT,
  directives_json TEXT,
  actionplans_json TEXT,
  mobility_dataplane_json TEXT,
  arp_observer_intents_json TEXT,
  fib_verdicts_json TEXT,
  status TEXT NOT NULL,
  error TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL,
  UNIQUE(source, generation)
);
CREATE TABLE IF NOT EXISTS plugin_runs (
  id INTEGER PRIMARY KEY,
  plugin TEXT NOT NULL,
  trigger_type TEXT NOT NULL,
  trigger_topic TEXT,
  started_at TEXT NOT NULL,
  completed_at TEXT,
  exit_code INTEGER,
  status TEXT NOT NULL,
  stdout_digest TEXT,
  stderr TEXT,
  error TEXT
);
CREATE TABLE IF NOT EXISTS action_executions (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  idempotency_key TEXT NOT NULL UNIQUE,
  source TEXT,
  provider TEXT NOT NULL,
  provider_ref TEXT,
  action TEXT NOT NULL,
  target_json TEXT,
  parameters_json TEXT,
  undo_json TEXT,
  risk_level TEXT,
  status TEXT NOT NULL,
  approved_by TEXT,
  approved_at TEXT,
  executed_at TEXT,
  result_message TEXT,
  error TEXT,
  created_at TEXT NOT NULL,
  updated_at TEXT NOT NULL
, observed_json TEXT);
CREATE INDEX IF NOT EXISTS action_executions_status ON action_executions(status, id);
";

pub(super) fn ensure(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(TABLES)
}
