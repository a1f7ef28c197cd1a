package standin.config;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import standin.Log;

/** A YAML file of the configuration, with its last valid content. */
final class YamlFile {
  private final Path path;
  private Map<String, String> values = Map.of();

  YamlFile(Path path) {
    this.path = path;
  }

  Path path() {
    return path;
  }

  Map<String, String> values() {
    return values;
  }

  void load() throws IOException, ConfigurationException {
    if (!Files.exists(path)) {
      values = Map.of();
      return;
    }
    if (Files.isWritable(path) && Macros.rewrite(path)) {
      Log.info("Encrypted or hashed the clear text values in " + path);
    }
    try {
      values = KeyTree.flatten(Yaml.tree(Files.readString(path)));
    } catch (ConfigurationException e) {
      throw new ConfigurationException(path + ": " + e.getMessage());
    }
  }

  /** A running engine keeps the last valid values if a file is damaged. */
  void reload() {
    try {
      load();
    } catch (IOException | ConfigurationException e) {
      Log.error("Kept the former values: " + e.getMessage());
    }
  }

  void set(String key, Object value) throws IOException, ConfigurationException {
    String text = Files.exists(path) ? Files.readString(path) : "";
    Map<String, Object> tree = Yaml.tree(text);
    KeyTree.set(tree, key, value);
    Files.createDirectories(path.getParent());
    Files.writeString(path, Yaml.dump(Yaml.header(text), tree));
  }
}
