package standin.http;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/** Header fields with case-insensitive names. */
public final class Headers {
  private final Map<String, List<String>> fields = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);

  public void add(String name, String value) {
    fields.computeIfAbsent(name, key -> new ArrayList<>()).add(value);
  }

  public void set(String name, String value) {
    fields.put(name, new ArrayList<>(List.of(value)));
  }

  public Optional<String> first(String name) {
    return all(name).stream().findFirst();
  }

  public List<String> all(String name) {
    return fields.getOrDefault(name, List.of());
  }

  /** For fields that are comma-separated lists of words. */
  public boolean has(String name, String word) {
    return all(name).stream().flatMap(value -> List.of(value.split(",")).stream())
        .anyMatch(part -> part.trim().equalsIgnoreCase(word));
  }

  public Map<String, List<String>> toMap() {
    return fields;
  }
}
