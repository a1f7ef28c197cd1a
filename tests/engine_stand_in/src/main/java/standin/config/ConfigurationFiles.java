package standin.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import standin.Directories;
import standin.EngineVersion;
import standin.Home;
import standin.Log;

/**
 * The directory of the engine's configuration: configuration/ itself or, for read-only files in versions that support
 * them, a copy that lasts until the next start.
 */
final class ConfigurationFiles {
  private final Path original;
  private final Path copies;
  private final boolean copiesReadOnly;

  ConfigurationFiles(Home home, EngineVersion version, String copies) throws IOException {
    this.original = home.configuration();
    this.copies = home.work().resolve(copies);
    this.copiesReadOnly = version.readsReadOnlyConfiguration();
    Directories.delete(this.copies);
  }

  Path file(String name) throws IOException {
    Path file = original.resolve(name);
    return mustCopy(file) ? copy(file, copies.resolve(name)) : file;
  }

  Path applications() {
    return original.resolve("applications");
  }

  List<String> applicationNames() throws IOException {
    var names = new ArrayList<String>();
    if (Files.isDirectory(applications())) {
      try (var directories = Files.newDirectoryStream(applications(), Files::isDirectory)) {
        directories.forEach(directory -> names.add(directory.getFileName().toString()));
      }
    }
    names.sort(Comparator.naturalOrder());
    return names;
  }

  /** A single read-only file causes a copy of the application's entire directory. */
  Path application(String name) throws IOException {
    Path directory = applications().resolve(name);
    if (!mustCopy(directory) && !mustCopy(directory.resolve("app.yaml"))) {
      return directory;
    }
    Path target = copies.resolve("applications").resolve(name);
    try (var files = Files.walk(directory)) {
      for (Path file : files.filter(Files::isRegularFile).toList()) {
        copy(file, target.resolve(directory.relativize(file).toString()));
      }
    }
    return target;
  }

  boolean isCopy(Path path) {
    return path.startsWith(copies);
  }

  private boolean mustCopy(Path path) {
    return copiesReadOnly && Files.exists(path) && !Files.isWritable(path);
  }

  private static Path copy(Path from, Path to) throws IOException {
    Files.createDirectories(to.getParent());
    Files.write(to, Files.readAllBytes(from));
    Log.warn("Read-only: " + from + ". Changes made in the Cockpit go to a copy and are lost at the next start.");
    return to;
  }
}
