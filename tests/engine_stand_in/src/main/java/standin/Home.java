package standin;

import java.nio.file.Path;

/** Paths below the engine's directory. */
public record Home(Path directory) {

  public static Home ofSystemProperty() {
    return new Home(Path.of(System.getProperty("ivy.engine.directory", ".")).toAbsolutePath().normalize());
  }

  public Path configuration() {
    return directory.resolve("configuration");
  }

  public Path work() {
    return directory.resolve("work");
  }

  public Path logs() {
    return directory.resolve("logs");
  }

  public Path deploy() {
    return directory.resolve("deploy");
  }

  /** Relative settings such as {@code Data.AppDirectory: applications} are relative to the engine's directory. */
  public Path resolve(String path) {
    return directory.resolve(path);
  }
}
