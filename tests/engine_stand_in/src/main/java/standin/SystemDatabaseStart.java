package standin;

import java.sql.SQLException;
import java.util.Optional;
import java.util.OptionalInt;
import standin.config.ConfigurationException;
import standin.config.Settings;
import standin.database.ConnectionPool;
import standin.database.DatabaseAddress;
import standin.database.MemoryDatabase;
import standin.database.PostgresDatabase;
import standin.database.Schema;
import standin.database.SystemDatabase;

/** Determines the engine's mode at the start, and opens the system database of that mode. */
record SystemDatabaseStart(Mode mode, SystemDatabase database) {

  static SystemDatabaseStart of(Settings settings, Optional<Licence> licence, EngineVersion version)
      throws ConfigurationException {
    Optional<DatabaseAddress> address = DatabaseAddress.of(settings);
    if (Boolean.getBoolean("standin.maintenance")) {
      return without(Mode.maintenance("asked for at the start"));
    }
    if (licence.isEmpty()) {
      return without(Mode.demo("there is no licence"));
    }
    if (address.isEmpty()) {
      return without(Mode.demo("no system database is configured"));
    }
    Optional<String> problem = licence.get().problem(version);
    if (problem.isPresent()) {
      return without(Mode.maintenance(problem.get()));
    }
    return open(address.get(), settings, version);
  }

  private static SystemDatabaseStart open(DatabaseAddress address, Settings settings, EngineVersion version)
      throws ConfigurationException {
    ConnectionPool pool = null;
    try {
      pool = new ConnectionPool(address, settings.number("SystemDb.MaxConnections", 50));
      Optional<String> problem = schemaProblem(pool, address, settings, version);
      if (problem.isEmpty()) {
        return new SystemDatabaseStart(Mode.PRODUCTION, new PostgresDatabase(pool));
      }
      pool.close();
      return without(Mode.maintenance(problem.get()));
    } catch (SQLException e) {
      if (pool != null) {
        pool.close();
      }
      return without(Mode.maintenance("the system database at " + address + " cannot be used: " + e.getMessage()));
    }
  }

  private static Optional<String> schemaProblem(ConnectionPool pool, DatabaseAddress address, Settings settings,
      EngineVersion version) throws SQLException {
    OptionalInt schema = pool.with(Schema::version);
    if (schema.isEmpty() && version.createsTablesAtStart()) {
      if (Schema.create(address, version)) {
        Log.info("The tables of the system database were created");
      }
      schema = pool.with(Schema::version);
    }
    if (schema.isEmpty()) {
      return Optional.of("the system database has no tables: run bin/EngineConfigCli create-db");
    }
    if (schema.getAsInt() == version.schemaVersion()) {
      return Optional.empty();
    }
    if (version.convertsSchemaAtStart() && settings.on("SystemDb.Autoconvert", false)
        && schema.getAsInt() < version.schemaVersion()) {
      pool.with(connection -> Schema.convert(connection, version));
      Log.info("The system database was converted to version " + version.schemaVersion());
      return Optional.empty();
    }
    return Optional.of("the system database has version " + schema.getAsInt() + ", this engine needs "
        + version.schemaVersion());
  }

  private static SystemDatabaseStart without(Mode mode) {
    return new SystemDatabaseStart(mode, new MemoryDatabase());
  }
}
