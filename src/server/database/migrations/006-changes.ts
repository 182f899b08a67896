/** What instances were before each of their last changes: "before" is JSON, "snapshot" holds the files before a restore. */
export const changesSchema = `
CREATE TABLE instances_changes (
  id INTEGER PRIMARY KEY, instance_id INTEGER NOT NULL REFERENCES instances (id) ON DELETE CASCADE,
  action TEXT NOT NULL, change_date TEXT NOT NULL, changed_by TEXT NOT NULL, snapshot TEXT NOT NULL DEFAULT '',
  before TEXT NOT NULL) STRICT;
CREATE INDEX instances_changes_instance_id ON instances_changes (instance_id);
`;
