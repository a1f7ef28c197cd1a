package standin.config;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.Set;

/** The effective settings at one moment. */
public final class Settings {
  private final Map<String, String> values;

  public Settings(Map<String, String> values) {
    this.values = Map.copyOf(values);
  }

  public Optional<String> find(String key) {
    return Optional.ofNullable(values.get(key)).map(Macros::resolve).filter(value -> !value.isEmpty());
  }

  public String get(String key, String otherwise) {
    return find(key).orElse(otherwise);
  }

  public int number(String key, int otherwise) throws ConfigurationException {
    String value = get(key, String.valueOf(otherwise));
    try {
      return Integer.parseInt(value.trim());
    } catch (NumberFormatException e) {
      throw new ConfigurationException(key + " must be a number, not '" + value + "'");
    }
  }

  public boolean on(String key, boolean otherwise) {
    return Boolean.parseBoolean(get(key, String.valueOf(otherwise)));
  }

  public Set<String> keys() {
    return new TreeSet<>(values.keySet());
  }

  /** The keys below a key, for instance all administrators. */
  public Map<String, String> below(String prefix) {
    var found = new LinkedHashMap<String, String>();
    for (String key : keys()) {
      if (key.startsWith(prefix + ".")) {
        found.put(key.substring(prefix.length() + 1), values.get(key));
      }
    }
    return found;
  }

  /** The values as stored, without decryption, for comparisons and lists. */
  String raw(String key) {
    return values.get(key);
  }
}
