package standin.database;

import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Timestamp;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/** The system database in PostgreSQL. */
public final class PostgresDatabase implements SystemDatabase {
  private static final String NOTE = "SELECT id, application, text, node, created_at FROM iwa_note ";
  private static final String RELEASED =
      "SELECT name, version, digest FROM iwa_application WHERE state = 'RELEASED'";
  private final ConnectionPool pool;

  /** Converts a row into an object. */
  private interface Row<T> {
    T read(ResultSet row) throws SQLException;
  }

  public PostgresDatabase(ConnectionPool pool) {
    this.pool = pool;
  }

  @Override
  public boolean isAvailable() {
    return pool.isAvailable();
  }

  @Override
  public Note addNote(String application, String text, String node) throws SQLException {
    return pool.with(connection -> query(connection, PostgresDatabase::note,
        "INSERT INTO iwa_note (application, text, node) VALUES (?, ?, ?)"
            + " RETURNING id, application, text, node, created_at",
        application, text, node)).get(0);
  }

  @Override
  public boolean changeNote(String application, long id, String text) throws SQLException {
    return pool.with(connection ->
        update(connection, "UPDATE iwa_note SET text = ? WHERE application = ? AND id = ?", text, application, id)) > 0;
  }

  @Override
  public Optional<Note> note(String application, long id) throws SQLException {
    return pool.with(connection ->
        query(connection, PostgresDatabase::note, NOTE + "WHERE application = ? AND id = ?", application, id))
        .stream().findFirst();
  }

  @Override
  public List<Note> notes(String application, int limit) throws SQLException {
    return pool.with(connection -> query(connection, PostgresDatabase::note,
        NOTE + "WHERE application = ? ORDER BY id DESC LIMIT ?", application, limit));
  }

  @Override
  public List<Note> allNotes() throws SQLException {
    return pool.with(connection -> query(connection, PostgresDatabase::note, NOTE));
  }

  @Override
  public List<Release> releases() throws SQLException {
    return pool.with(connection -> query(connection, PostgresDatabase::release, RELEASED));
  }

  @Override
  public Release release(String application, String digest, String node) throws SQLException {
    return pool.inTransaction(connection -> {
      // Two nodes that deploy at once must not both take the next number.
      query(connection, row -> true, "SELECT pg_advisory_xact_lock(hashtext(?))", application);
      Optional<Release> current = query(connection, PostgresDatabase::release, RELEASED + " AND name = ?", application)
          .stream().findFirst();
      if (current.isPresent() && current.get().digest().equals(digest)) {
        return current.get();
      }
      int version = current.map(Release::version).orElse(0) + 1;
      update(connection, "UPDATE iwa_application SET state = 'DEPRECATED' WHERE name = ? AND state = 'RELEASED'",
          application);
      update(connection, "INSERT INTO iwa_application (name, version, digest, state, node)"
          + " VALUES (?, ?, ?, 'RELEASED', ?)", application, version, digest, node);
      return new Release(application, version, digest);
    });
  }

  @Override
  public void setNodeState(NodeEntry node) throws SQLException {
    pool.with(connection -> update(connection,
        "INSERT INTO iwa_clusternode (name, address, port, state, engine_version, changed_at) VALUES (?, ?, ?, ?, ?, ?)"
            + " ON CONFLICT (name) DO UPDATE SET address = EXCLUDED.address, port = EXCLUDED.port,"
            + " state = EXCLUDED.state, engine_version = EXCLUDED.engine_version, changed_at = EXCLUDED.changed_at",
        node.name(), node.address(), node.port(), node.state(), node.engineVersion(),
        Timestamp.from(node.changedAt())));
  }

  @Override
  public List<NodeEntry> nodes() throws SQLException {
    return pool.with(connection -> query(connection,
        row -> new NodeEntry(row.getString(1), row.getString(2), row.getInt(3), row.getString(4), row.getString(5),
            row.getTimestamp(6).toInstant()),
        "SELECT name, address, port, state, engine_version, changed_at FROM iwa_clusternode ORDER BY name"));
  }

  @Override
  public void close() {
    pool.close();
  }

  private static Note note(ResultSet row) throws SQLException {
    return new Note(row.getLong(1), row.getString(2), row.getString(3), row.getString(4),
        row.getTimestamp(5).toInstant());
  }

  private static Release release(ResultSet row) throws SQLException {
    return new Release(row.getString(1), row.getInt(2), row.getString(3));
  }

  private static <T> List<T> query(Connection connection, Row<T> reader, String sql, Object... values)
      throws SQLException {
    try (PreparedStatement statement = prepare(connection, sql, values); ResultSet rows = statement.executeQuery()) {
      var result = new ArrayList<T>();
      while (rows.next()) {
        result.add(reader.read(rows));
      }
      return result;
    }
  }

  private static int update(Connection connection, String sql, Object... values) throws SQLException {
    try (PreparedStatement statement = prepare(connection, sql, values)) {
      return statement.executeUpdate();
    }
  }

  private static PreparedStatement prepare(Connection connection, String sql, Object... values) throws SQLException {
    PreparedStatement statement = connection.prepareStatement(sql);
    for (int i = 0; i < values.length; i++) {
      statement.setObject(i + 1, values[i]);
    }
    return statement;
  }
}
