package standin.database;

import java.sql.Connection;
import java.sql.SQLException;
import java.util.OptionalInt;
import java.util.Properties;
import standin.EngineVersion;

/** The tables of the system database. An engine creates or converts them at its start only. */
public final class Schema {
  private static final long LOCK = 0x6976_7973_7953L;
  private static final String UNDEFINED_TABLE = "42P01";
  private static final String UNDEFINED_DATABASE = "3D000";
  private static final String DUPLICATE_DATABASE = "42P04";
  private static final String UNIQUE_VIOLATION = "23505";
  private static final String TABLES = """
      CREATE TABLE iwa_systemdatabaseversion (version int NOT NULL);
      CREATE TABLE iwa_application (
        name text NOT NULL, version int NOT NULL, digest text NOT NULL, state text NOT NULL,
        node text NOT NULL, deployed_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (name, version));
      CREATE TABLE iwa_clusternode (
        name text PRIMARY KEY, address text NOT NULL, port int NOT NULL, state text NOT NULL,
        engine_version text NOT NULL, changed_at timestamptz NOT NULL);
      CREATE TABLE iwa_note (
        id bigserial PRIMARY KEY, application text NOT NULL, text text NOT NULL, node text NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now());
      """;

  private Schema() {}

  /** Empty if there is no schema. */
  public static OptionalInt version(Connection connection) throws SQLException {
    try (var statement = connection.createStatement();
        var rows = statement.executeQuery("SELECT version FROM iwa_systemdatabaseversion")) {
      return rows.next() ? OptionalInt.of(rows.getInt(1)) : OptionalInt.empty();
    } catch (SQLException e) {
      if (UNDEFINED_TABLE.equals(e.getSQLState())) {
        return OptionalInt.empty();
      }
      throw e;
    }
  }

  /** Creates the database if it is missing and the account has the privilege. Returns whether it was created. */
  public static boolean createDatabase(DatabaseAddress address) throws SQLException {
    try (Connection existing = address.connect(properties())) {
      return false;
    } catch (SQLException e) {
      if (!UNDEFINED_DATABASE.equals(e.getSQLState())) {
        throw e;
      }
    }
    String name = address.databaseName().replace("\"", "\"\"");
    try (Connection connection = address.withDatabase("postgres").connect(properties());
        var statement = connection.createStatement()) {
      statement.execute("CREATE DATABASE \"" + name + "\" ENCODING 'UTF8' TEMPLATE template0");
      return true;
    } catch (SQLException e) {
      if (DUPLICATE_DATABASE.equals(e.getSQLState()) || UNIQUE_VIOLATION.equals(e.getSQLState())) {
        return false;
      }
      throw e;
    }
  }

  /** Creates missing tables, even if two processes try at once. Returns whether it created them. */
  public static boolean create(DatabaseAddress address, EngineVersion engine) throws SQLException {
    try (Connection connection = address.connect(properties()); var statement = connection.createStatement()) {
      connection.setAutoCommit(false);
      statement.execute("SELECT pg_advisory_xact_lock(" + LOCK + ")");
      try (var rows = statement.executeQuery("SELECT to_regclass('iwa_systemdatabaseversion') IS NOT NULL")) {
        rows.next();
        if (rows.getBoolean(1)) {
          return false;
        }
      }
      statement.execute(TABLES);
      statement.execute("INSERT INTO iwa_systemdatabaseversion VALUES (" + engine.schemaVersion() + ")");
      connection.commit();
      return true;
    }
  }

  /** Converts the tables of an older version. They are the same in all versions, so only the number changes. */
  public static boolean convert(Connection connection, EngineVersion engine) throws SQLException {
    try (var statement = connection.createStatement()) {
      return statement.executeUpdate("UPDATE iwa_systemdatabaseversion SET version = " + engine.schemaVersion()
          + " WHERE version < " + engine.schemaVersion()) > 0;
    }
  }

  static Properties properties() {
    var properties = new Properties();
    properties.setProperty("ApplicationName", "Axon Ivy Engine Config CLI");
    properties.setProperty("connectTimeout", "5");
    return properties;
  }
}
