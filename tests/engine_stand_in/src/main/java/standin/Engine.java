package standin;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Instant;
import java.util.Optional;
import java.util.concurrent.CountDownLatch;
import java.util.function.Consumer;
import standin.cluster.Cluster;
import standin.config.Configuration;
import standin.config.ConfigurationException;
import standin.config.ConfigurationWatcher;
import standin.config.Settings;
import standin.database.NodeEntry;
import standin.database.SystemDatabase;
import standin.deploy.Applications;
import standin.deploy.DeployDirectory;
import standin.http.HttpServer;
import standin.http.Sessions;
import standin.search.SearchServer;
import standin.web.Front;

/** Starts the parts of the engine one after another. They are stopped in reverse order. */
public final class Engine {
  private static final long REQUEST_GRACE_MILLIS = Integer.getInteger("standin.requestGrace", 10_000);
  private final Home home;
  private final EngineVersion version;
  private final StateFile state;
  private final Shutdown shutdown;

  private Engine(Home home) throws IOException {
    this.home = home;
    this.version = EngineVersion.ofArchive(home.directory());
    this.state = new StateFile(home);
    this.shutdown = new Shutdown(state);
  }

  public static void main(String[] args) {
    long start = System.currentTimeMillis();
    Home home = Home.ofSystemProperty();
    try {
      Log.takeOverJavaLogging();
      Log.open(home.logs());
      new Engine(home).run(start);
    } catch (Exception e) {
      Log.error("Axon Ivy Engine cannot start: " + (e instanceof StartFailure ? e.getMessage() : e));
      System.exit(1);
    }
  }

  private void run(long start) throws Exception {
    state.set("STARTING");
    shutdown.install();
    Log.info("Axon Ivy Engine " + version + " (stand-in for tests) starts in " + home.directory());
    Faults.atStart();
    var configuration = new Configuration(home, version, "configuration");
    var messages = new ClusterMessages();
    Node node = assemble(configuration, messages);
    var front = new Front(node);
    var server = new HttpServer(front);
    Connectors.open(server, configuration.settings(), home);
    listenToCluster(node, messages);
    watch(node);
    registerNode(node);
    node.applications().loadReleased();
    Faults.beforeReady();
    front.ready();
    ready(node, start);
    shutdown.add("deploy directory", new DeployDirectory(home.deploy(), node.applications()));
    // Started last and stopped first, so that no request arrives while other parts stop.
    shutdown.add("web server", () -> server.stop(REQUEST_GRACE_MILLIS));
    Faults.afterReady();
    readConsole();
    new CountDownLatch(1).await();
  }

  private Node assemble(Configuration configuration, ClusterMessages messages) throws Exception {
    Settings settings = configuration.settings();
    var licence = new LicenceHolder(home, settings);
    SystemDatabaseStart opened = SystemDatabaseStart.of(settings, licence.get(), version);
    refuseMaintenanceIfDisabled(opened.mode(), settings);
    SystemDatabase database = opened.database();
    shutdown.add("system database", database);
    String name = settings.get("Cluster.NodeName", HostName.name());
    Optional<SearchServer> search = Optional.empty();
    Optional<Cluster> cluster = Optional.empty();
    if (opened.mode().isProduction()) {
      search = SearchServer.of(settings, version, database);
      if (search.isPresent()) {
        connectSearch(search.get(), settings);
      }
      cluster = join(licence.get().orElseThrow(), settings, name, messages);
    } else {
      Log.warn("The engine runs in " + opened.mode().kind() + " mode: " + opened.mode().reason());
    }
    Consumer<String> announce = cluster.<Consumer<String>>map(joined -> joined::send).orElse(message -> { });
    Cluster joined = cluster.orElse(null);
    Path directory = home.resolve(settings.get("Data.AppDirectory", "applications"));
    Files.createDirectories(home.resolve(settings.get(version.filesDirectoryKey(), "data")));
    var applications = new Applications(directory, database, name,
        () -> joined == null || version.sharesApplications() || joined.isMaster(),
        application -> {
          if (version.sharesApplications()) {
            announce.accept("application " + application);
          }
        });
    return new Node(home, version, name, opened.mode(), configuration, licence, database, search, cluster, announce,
        new NoteCache(database), applications, new Sessions(version.sessionCookie()));
  }

  private static void refuseMaintenanceIfDisabled(Mode mode, Settings settings) throws StartFailure {
    if (mode.isMaintenance() && settings.get("Boot.MaintenanceMode", "ENABLED").equalsIgnoreCase("DISABLED")
        && !Boolean.getBoolean("standin.maintenance")) {
      throw new StartFailure(mode.reason() + " (Boot.MaintenanceMode is DISABLED)");
    }
  }

  private void connectSearch(SearchServer search, Settings settings)
      throws ConfigurationException, InterruptedException, StartFailure {
    search.connect();
    int bootTimeout = settings.number(version.searchPrefix() + ".ExternalServer.BootTimeout", 60);
    long deadline = System.currentTimeMillis() + bootTimeout * 1000L;
    while (version.waitsForSearchAtStart() && !search.isAvailable()) {
      if (System.currentTimeMillis() > deadline) {
        throw new StartFailure("The search server did not come within " + bootTimeout + " s: " + search.state());
      }
      Thread.sleep(500);
    }
  }

  private Optional<Cluster> join(Licence licence, Settings settings, String name, ClusterMessages messages)
      throws Exception {
    if (!licence.isForCluster()) {
      return Optional.empty();
    }
    Path stack = home.configuration().resolve("jgroups.xml");
    var cluster = new Cluster(stack, settings.get("Cluster.Name", "axonivy"), name, licence.nodes(), messages);
    shutdown.add("cluster", cluster);
    return Optional.of(cluster);
  }

  private static void listenToCluster(Node node, ClusterMessages messages) {
    messages.on("note", id -> node.notes().forget(Long.parseLong(id)));
    messages.on("application", name -> node.applications().loadReleased());
    messages.on("configuration", from -> {
      Log.info("Node " + from + " announces a change of the configuration");
      node.configuration().reload();
    });
  }

  private void watch(Node node) throws IOException {
    shutdown.add("configuration", new ConfigurationWatcher(node.configuration(),
        FileSystems.getDefault().newWatchService(), () -> {
          if (version.announcesConfigurationChanges()) {
            node.announce().accept("configuration " + node.name());
          }
        }));
  }

  private void registerNode(Node node) throws ConfigurationException, SQLException {
    int port = node.configuration().settings().number("Connector.HTTP.Port", 8080);
    setState(node, port, "RUNNING");
    shutdown.add("node state", () -> setState(node, port, "STOPPED"));
  }

  private static void setState(Node node, int port, String nodeState) throws SQLException {
    node.database().setNodeState(new NodeEntry(node.name(), HostName.address(), port, nodeState,
        node.version().toString(), Instant.now()));
  }

  private void ready(Node node, long start) throws ConfigurationException {
    state.set("RUNNING");
    Log.info("Go to http://" + HostName.name() + ":"
        + node.configuration().settings().number("Connector.HTTP.Port", 8080) + "/ to see the info page of the engine");
    Log.info("Axon Ivy Engine is running and ready to serve. [" + (System.currentTimeMillis() - start) + "ms]");
  }

  /** The end of the input does not stop the engine, since a service has no input. */
  private static void readConsole() {
    Threads.daemon("console", () -> {
      var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
      for (String line = in.readLine(); line != null; line = in.readLine()) {
        if (line.trim().equals("shutdown")) {
          Threads.daemon("exit", () -> System.exit(0));
        }
      }
    });
  }
}
