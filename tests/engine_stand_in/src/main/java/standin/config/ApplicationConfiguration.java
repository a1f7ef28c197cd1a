package standin.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;
import standin.Log;

/** Variables of one application from its directory: app.yaml, overridden by one JSON file for each file variable. */
public final class ApplicationConfiguration {
  private static final String VARIABLES = "Variables.";
  private final Path directory;
  private final YamlFile yaml;
  private volatile Map<String, String> variables = Map.of();

  public ApplicationConfiguration(Path directory) {
    this.directory = directory;
    this.yaml = new YamlFile(directory.resolve("app.yaml"));
  }

  public Map<String, String> variables() {
    return variables;
  }

  public void reload() {
    yaml.reload();
    var found = new TreeMap<String, String>();
    yaml.values().forEach((key, value) -> {
      if (key.startsWith(VARIABLES)) {
        found.put(key.substring(VARIABLES.length()), Macros.resolve(value));
      }
    });
    addFiles("Variables", found);
    addFiles("variables", found);
    variables = Map.copyOf(found);
  }

  Path directory() {
    return directory;
  }

  YamlFile yaml() {
    return yaml;
  }

  private void addFiles(String name, Map<String, String> found) {
    Path files = directory.resolve(name);
    if (!Files.isDirectory(files)) {
      return;
    }
    try (var listed = Files.newDirectoryStream(files, "*.json")) {
      for (Path file : listed) {
        String variable = file.getFileName().toString().replaceFirst("\\.json$", "");
        found.put(variable, Files.readString(file));
      }
    } catch (IOException e) {
      Log.error("Variables of " + files + " cannot be read", e);
    }
  }
}
