package standin.deploy;

import java.io.IOException;
import java.nio.file.ClosedWatchServiceException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardWatchEventKinds;
import java.nio.file.WatchKey;
import java.nio.file.WatchService;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import standin.Log;
import standin.Threads;
import standin.config.ConfigurationException;
import standin.config.Yaml;

/**
 * Immediately deploys artefacts that appear in deploy/ or deploy/&lt;application&gt;/. An artefact that is incomplete
 * when its name appears fails. The result is written to files beside it, for which other programs wait.
 */
public final class DeployDirectory implements AutoCloseable {
  private final Path root;
  private final Applications applications;
  private final WatchService service;
  private final Map<Path, WatchKey> keys = new HashMap<>();

  public DeployDirectory(Path root, Applications applications) throws IOException {
    this.root = root;
    this.applications = applications;
    this.service = FileSystems.getDefault().newWatchService();
    Files.createDirectories(root);
    Threads.daemon("deploy-directory", this::watch);
  }

  private void watch() throws IOException, InterruptedException {
    try {
      while (true) {
        List<Path> directories = directories();
        for (Path directory : directories) {
          register(directory);
        }
        for (Path directory : directories) {
          deployAllIn(directory);
        }
        WatchKey key = service.take();
        key.pollEvents();
        key.reset();
      }
    } catch (ClosedWatchServiceException e) {
      // The engine is stopping.
      return;
    }
  }

  private List<Path> directories() throws IOException {
    var directories = new ArrayList<Path>();
    directories.add(root);
    try (var children = Files.newDirectoryStream(root, Files::isDirectory)) {
      children.forEach(directories::add);
    }
    return directories;
  }

  private void register(Path directory) throws IOException {
    if (!keys.containsKey(directory) || !keys.get(directory).isValid()) {
      keys.put(directory, directory.register(service, StandardWatchEventKinds.ENTRY_CREATE,
          StandardWatchEventKinds.ENTRY_MODIFY));
    }
  }

  private void deployAllIn(Path directory) throws IOException {
    List<Path> artefacts;
    try (var files = Files.list(directory)) {
      artefacts = files.filter(Artefact::isArtefact).sorted().toList();
    }
    for (Path artefact : artefacts) {
      String application = directory.equals(root) ? Artefact.applicationName(artefact)
          : directory.getFileName().toString();
      deploy(application, artefact);
    }
  }

  private void deploy(String application, Path artefact) throws IOException {
    Files.deleteIfExists(beside(artefact, ".deploymentLog"));
    Files.deleteIfExists(beside(artefact, ".deploymentError"));
    try {
      String log = options(artefact) + applications.deploy(application, artefact);
      Files.writeString(beside(artefact, ".deploymentLog"), log);
      finish(artefact, ".deployed");
      Log.info("Deployed " + artefact);
    } catch (DeploymentException | ConfigurationException e) {
      Files.writeString(beside(artefact, ".deploymentLog"), e.getMessage() + "\n");
      Files.writeString(beside(artefact, ".deploymentError"), e.getMessage() + "\n");
      finish(artefact, ".notDeployed");
      Log.error("Not deployed: " + artefact + ": " + e.getMessage());
    }
  }

  private static String options(Path artefact) throws IOException, ConfigurationException {
    Path file = beside(artefact, ".options.yaml");
    return Files.exists(file) ? "Deployment options: " + Yaml.tree(Files.readString(file)) + "\n" : "";
  }

  private static void finish(Path artefact, String marker) throws IOException {
    Files.move(artefact, beside(artefact, marker), StandardCopyOption.REPLACE_EXISTING);
  }

  private static Path beside(Path artefact, String suffix) {
    return artefact.resolveSibling(artefact.getFileName() + suffix);
  }

  @Override
  public void close() throws IOException {
    service.close();
  }
}
