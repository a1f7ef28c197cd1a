package standin.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import standin.EngineVersion;
import standin.Home;
import standin.Log;

/** The configuration on disk, at the start, and in effect: some keys take effect only at a restart. */
public final class Configuration {
  private static final List<String> AT_RESTART = List.of("SystemDb.", "Administrators.", "Connector.", "WebServer.",
      "Elasticsearch.", "SearchEngine.", "Data.", "Cluster.", "Boot.", "Licence");
  private static final List<String> WEB_SERVER = List.of("Connector.", "WebServer.", "REST.");

  private final EngineVersion version;
  private final ConfigurationFiles files;
  private final Overrides overrides;
  private final YamlFile main;
  private final YamlFile webServer;
  private final Map<String, ApplicationConfiguration> applications = new TreeMap<>();
  private final Settings atStart;
  private volatile Settings onDisk;
  private volatile Settings effective;

  /** @param copies name of the directory in work/ for copies of read-only files; each process needs its own */
  public Configuration(Home home, EngineVersion version, String copies) throws IOException, ConfigurationException {
    this.version = version;
    Macros.writeForm(version);
    this.files = new ConfigurationFiles(home, version, copies);
    this.overrides = Overrides.ofProcess();
    this.main = new YamlFile(files.file("ivy.yaml"));
    this.webServer = new YamlFile(files.file("ivy.webserver.yaml"));
    main.load();
    webServer.load();
    this.atStart = read();
    this.onDisk = atStart;
    this.effective = atStart;
    addNewApplications();
  }

  public Settings settings() {
    return effective;
  }

  public synchronized Map<String, String> variables(String application) {
    ApplicationConfiguration configuration = applications.get(application);
    return configuration == null ? Map.of() : configuration.variables();
  }

  public synchronized void reload() {
    main.reload();
    webServer.reload();
    try {
      onDisk = read();
      effective = merge();
      if (version.watchesNewApplicationDirectories()) {
        addNewApplications();
      }
    } catch (IOException e) {
      Log.error("The configuration cannot be read again", e);
    }
    applications.values().forEach(ApplicationConfiguration::reload);
    Log.info("Configuration reloaded"
        + (restartRequired().isEmpty() ? "" : "; a restart is required for " + String.join(", ", restartRequired())));
  }

  /** Keys whose value on disk differs from that of the running engine. */
  public Set<String> restartRequired() {
    var keys = new TreeSet<>(onDisk.keys());
    keys.addAll(atStart.keys());
    keys.removeIf(key -> !needsRestart(key) || Objects.equals(atStart.find(key), onDisk.find(key)));
    return keys;
  }

  /** The Cockpit's form, which changes the files of this node only. */
  public synchronized void set(String file, String key, Object value) throws IOException, ConfigurationException {
    yamlFile(file).set(key, value);
    reload();
  }

  public synchronized List<String> yamlFiles() {
    var names = new ArrayList<>(List.of("ivy.yaml"));
    if (version.readsWebServerFile()) {
      names.add("ivy.webserver.yaml");
    }
    applications.keySet().forEach(name -> names.add("applications/" + name + "/app.yaml"));
    return names;
  }

  /** Where a file of the configuration, named relative to it, is edited: the original or the copy of a read-only one. */
  public synchronized Path editable(String name) throws ConfigurationException {
    Path root = files.applications().getParent();
    Path path = root.resolve(name).normalize();
    if (!path.startsWith(root) || path.equals(root)) {
      throw new ConfigurationException("outside the configuration: " + name);
    }
    return yamlFiles().contains(name) ? yamlFile(name).path() : path;
  }

  public boolean worksOnCopies() {
    return files.isCopy(main.path());
  }

  /** Directories that the engine watches for changes. */
  synchronized List<Path> watched() {
    var directories = new ArrayList<Path>();
    directories.add(main.path().getParent());
    directories.add(webServer.path().getParent());
    if (version.watchesNewApplicationDirectories()) {
      directories.add(files.applications());
    }
    for (ApplicationConfiguration application : applications.values()) {
      directories.add(application.directory());
      directories.add(application.directory().resolve("Variables"));
      directories.add(application.directory().resolve("variables"));
    }
    return directories.stream().distinct().filter(Files::isDirectory).toList();
  }

  private Settings read() throws IOException {
    var values = new LinkedHashMap<String, String>(main.values());
    if (version.readsWebServerFile()) {
      for (String key : main.values().keySet()) {
        if (isWebServer(key)) {
          Log.warn(key + " has no effect in ivy.yaml: this version reads it from ivy.webserver.yaml");
          values.remove(key);
        }
      }
      values.putAll(webServer.values());
    } else if (!webServer.values().isEmpty()) {
      Log.warn("ivy.webserver.yaml has no effect: this version reads its keys from ivy.yaml");
    }
    return new Settings(overrides.applyTo(values));
  }

  private Settings merge() {
    var values = new HashMap<String, String>();
    onDisk.keys().stream().filter(key -> !needsRestart(key)).forEach(key -> values.put(key, onDisk.raw(key)));
    atStart.keys().stream().filter(Configuration::needsRestart).forEach(key -> values.put(key, atStart.raw(key)));
    return new Settings(values);
  }

  private void addNewApplications() throws IOException {
    for (String name : files.applicationNames()) {
      if (!applications.containsKey(name)) {
        var application = new ApplicationConfiguration(files.application(name));
        application.reload();
        applications.put(name, application);
      }
    }
  }

  private YamlFile yamlFile(String name) throws ConfigurationException {
    if (name.equals("ivy.yaml")) {
      return main;
    }
    if (name.equals("ivy.webserver.yaml")) {
      return webServer;
    }
    return applications.entrySet().stream()
        .filter(entry -> name.equals("applications/" + entry.getKey() + "/app.yaml"))
        .findFirst()
        .orElseThrow(() -> new ConfigurationException("not a YAML file of the configuration: " + name))
        .getValue()
        .yaml();
  }

  private static boolean isWebServer(String key) {
    return WEB_SERVER.stream().anyMatch(key::startsWith);
  }

  private static boolean needsRestart(String key) {
    return AT_RESTART.stream().anyMatch(key::startsWith);
  }
}
