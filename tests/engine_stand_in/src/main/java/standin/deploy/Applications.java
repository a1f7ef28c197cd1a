package standin.deploy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.sql.SQLException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.regex.Pattern;
import standin.Directories;
import standin.Faults;
import standin.Log;
import standin.config.ApplicationConfiguration;
import standin.database.Release;
import standin.database.SystemDatabase;

/**
 * The applications of this node. The system database contains the released versions; the files are in the applications
 * directory of the node or in one that all nodes share.
 */
public final class Applications {
  private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9_.-]*");
  private static final long MASTER_WAIT_MILLIS = 60_000;

  private final Path directory;
  private final SystemDatabase database;
  private final String node;
  private final BooleanSupplier mayRelease;
  private final Consumer<String> announce;
  private final Map<String, Application> loaded = new ConcurrentSkipListMap<>();

  /**
   * @param mayRelease false where only another node, the master, writes an application's data to the system database
   * @param announce receives the name of each application that this node released
   */
  public Applications(Path directory, SystemDatabase database, String node, BooleanSupplier mayRelease,
      Consumer<String> announce) {
    this.directory = directory;
    this.database = database;
    this.node = node;
    this.mayRelease = mayRelease;
    this.announce = announce;
  }

  public Optional<Application> find(String name) {
    return Optional.ofNullable(loaded.get(name));
  }

  public List<Application> all() {
    return List.copyOf(loaded.values());
  }

  /** Activates the released versions whose files are present on this node. */
  public void loadReleased() {
    try {
      for (Release release : database.releases()) {
        load(release);
      }
    } catch (SQLException e) {
      Log.error("The released applications cannot be read", e);
    }
  }

  /** Returns the text for the deployment log. */
  public String deploy(String name, Path file) throws DeploymentException {
    if (!NAME.matcher(name).matches()) {
      throw new DeploymentException("Not a name for an application: " + name);
    }
    if (Faults.deploymentFails()) {
      throw new DeploymentException("Failure asked for by standin.deployment");
    }
    try {
      var artefact = new Artefact(file);
      String digest = artefact.digest();
      place(artefact, filesOf(name, digest));
      Release release = release(name, digest);
      load(release);
      announce.accept(name);
      return "Deployed " + file.getFileName() + " as version " + release.version() + " of application " + name + "\n";
    } catch (IOException | SQLException e) {
      throw new DeploymentException("Deployment of " + file.getFileName() + " failed: " + e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new DeploymentException("The engine stopped before " + file.getFileName() + " was deployed");
    }
  }

  private Release release(String name, String digest) throws SQLException, InterruptedException, DeploymentException {
    long deadline = System.currentTimeMillis() + MASTER_WAIT_MILLIS;
    while (!mayRelease.getAsBoolean()) {
      Optional<Release> known = database.releases().stream()
          .filter(release -> release.application().equals(name) && release.digest().equals(digest)).findFirst();
      if (known.isPresent()) {
        return known.get();
      }
      if (System.currentTimeMillis() > deadline) {
        throw new DeploymentException("The master has not released this version of " + name
            + ", and only the master writes an application to the system database");
      }
      Thread.sleep(500);
    }
    return database.release(name, digest, node);
  }

  private void load(Release release) {
    Path files = filesOf(release.application(), release.digest());
    if (!Files.isDirectory(files)) {
      loaded.remove(release.application());
      Log.warn("Version " + release.version() + " of application " + release.application()
          + " is released, but its files are not on this node: project resources of pmv not found");
      return;
    }
    var configuration = new ApplicationConfiguration(files.resolve("config"));
    configuration.reload();
    loaded.put(release.application(), new Application(release, configuration));
    Log.info("Application " + release.application() + " version " + release.version() + " is active");
  }

  private Path filesOf(String name, String digest) {
    return directory.resolve(name).resolve(digest.substring(0, 12));
  }

  /** Other nodes may read a shared directory at any time and must find a complete version or none. */
  private static void place(Artefact artefact, Path target) throws IOException, DeploymentException {
    if (Files.isDirectory(target)) {
      return;
    }
    Path unfinished = target.resolveSibling("." + target.getFileName() + "." + ProcessHandle.current().pid());
    try {
      artefact.unpackTo(unfinished);
      Files.move(unfinished, target, StandardCopyOption.ATOMIC_MOVE);
    } finally {
      Directories.delete(unfinished);
    }
  }
}
