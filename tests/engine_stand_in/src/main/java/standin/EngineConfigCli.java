package standin;

import java.io.IOException;
import java.sql.Connection;
import java.sql.SQLException;
import java.util.Arrays;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import standin.config.Configuration;
import standin.config.ConfigurationException;
import standin.database.DatabaseAddress;
import standin.database.Schema;

/** The commands of {@code bin/EngineConfigCli}. */
public final class EngineConfigCli {
  private static final int SERVER_WAIT_SECONDS = 60;
  private final Map<String, Command> commands = new TreeMap<>();
  private final Home home = Home.ofSystemProperty();
  private final EngineVersion version;

  /** Runs the command with the arguments after its name. */
  private interface Action {
    void run(String[] arguments) throws Exception;
  }

  private record Command(String usage, String purpose, int arguments, Action action) {}

  private EngineConfigCli() throws IOException {
    version = EngineVersion.ofArchive(home.directory());
    commands.put("config-db", new Command("config-db <driver> <jdbcUrl> <user> <password>",
        "writes the system database settings to ivy.yaml", 4, this::configDb));
    commands.put("create-db", new Command("create-db", "creates the system database and its tables", 0,
        arguments -> createDb()));
    commands.put("wait-for-db-server", new Command("wait-for-db-server",
        "waits until the database server answers", 0, arguments -> waitForServer()));
    if (!version.convertsSchemaAtStart()) {
      commands.put("migrate-engine", new Command("migrate-engine",
          "converts the system database to this version", 0, arguments -> migrate()));
    }
  }

  public static void main(String[] arguments) {
    Log.takeOverJavaLogging();
    try {
      System.exit(new EngineConfigCli().run(arguments));
    } catch (Exception e) {
      System.err.println(e instanceof StartFailure ? e.getMessage() : e.toString());
      System.exit(1);
    }
  }

  private int run(String[] arguments) throws Exception {
    String name = arguments.length == 0 ? "help" : arguments[0];
    if (name.equals("help")) {
      commands.values().forEach(command -> System.out.println(command.usage + "\n    " + command.purpose));
      return 0;
    }
    Command command = commands.get(name);
    if (command == null) {
      System.err.println("Unknown command: " + name + ". Known are: help, " + String.join(", ", commands.keySet()));
      return 2;
    }
    if (arguments.length == 2 && arguments[1].equals("help")) {
      System.out.println(command.usage + "\n    " + command.purpose);
      return 0;
    }
    if (arguments.length - 1 != command.arguments) {
      System.err.println("Usage: " + command.usage);
      return 2;
    }
    command.action.run(Arrays.copyOfRange(arguments, 1, arguments.length));
    return 0;
  }

  private void configDb(String[] arguments) throws IOException, ConfigurationException {
    Configuration configuration = configuration();
    configuration.set("ivy.yaml", "SystemDb.Driver", arguments[0]);
    configuration.set("ivy.yaml", "SystemDb.Url", arguments[1]);
    configuration.set("ivy.yaml", "SystemDb.UserName", arguments[2]);
    configuration.set("ivy.yaml", "SystemDb.Password", arguments[3]);
    System.out.println("Wrote the system database settings to configuration/ivy.yaml");
  }

  private void createDb() throws Exception {
    DatabaseAddress address = address();
    if (Schema.createDatabase(address)) {
      System.out.println("Created the database " + address.databaseName());
    }
    System.out.println(Schema.create(address, version) ? "Created the tables of the system database"
        : "The system database exists already");
    try (Connection connection = address.connect(new Properties())) {
      int found = Schema.version(connection).orElseThrow();
      if (found != version.schemaVersion()) {
        throw new StartFailure("The system database has version " + found + ", this engine needs "
            + version.schemaVersion());
      }
    }
  }

  private void migrate() throws Exception {
    try (Connection connection = address().connect(new Properties())) {
      System.out.println(Schema.convert(connection, version) ? "Converted the system database"
          : "The system database needs no conversion");
    }
  }

  /** A server that rejects the account or lacks the database counts as reachable. */
  private void waitForServer() throws Exception {
    DatabaseAddress address = address();
    long deadline = System.currentTimeMillis() + SERVER_WAIT_SECONDS * 1000L;
    while (true) {
      try (Connection connection = address.connect(new Properties())) {
        return;
      } catch (SQLException e) {
        boolean unreachable = e.getSQLState() == null || e.getSQLState().startsWith("08")
            || e.getSQLState().startsWith("57");
        if (!unreachable) {
          return;
        }
        if (System.currentTimeMillis() > deadline) {
          throw new StartFailure("The database server did not answer within " + SERVER_WAIT_SECONDS + " s: "
              + e.getMessage());
        }
      }
      Thread.sleep(500);
    }
  }

  private Configuration configuration() throws IOException, ConfigurationException {
    return new Configuration(home, version, "configuration-cli");
  }

  private DatabaseAddress address() throws Exception {
    return DatabaseAddress.of(configuration().settings())
        .orElseThrow(() -> new StartFailure("No system database is configured: SystemDb.Url is missing"));
  }
}
