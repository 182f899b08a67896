/**
 * What was deleted and can be brought back. `state` is "arriving" while the volume is on its way here, "returning" while
 * it is on its way back, "leaving" once its deletion has begun; `content` is JSON: the rows that it had.
 */
export const trashSchema = `
CREATE TABLE trash (
  id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, project_id INTEGER NOT NULL REFERENCES projects (id),
  type TEXT NOT NULL, name TEXT NOT NULL, storage_pool TEXT NOT NULL, deletion_date TEXT NOT NULL,
  expiry_date TEXT NOT NULL, deleted_by TEXT NOT NULL, state TEXT NOT NULL, content TEXT NOT NULL) STRICT;
`;
