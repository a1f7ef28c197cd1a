package standin.config;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Key trees in which {@code a.b: 1} and {@code a: {b: 1}} are equivalent. */
public final class KeyTree {
  private KeyTree() {}

  public static Map<String, String> flatten(Map<String, Object> tree) {
    var flat = new LinkedHashMap<String, String>();
    flatten("", tree, flat);
    return flat;
  }

  private static void flatten(String prefix, Object value, Map<String, String> flat) {
    if (value instanceof Map<?, ?> map) {
      map.forEach((key, inner) -> flatten(prefix.isEmpty() ? String.valueOf(key) : prefix + "." + key, inner, flat));
    } else if (value instanceof List<?> list) {
      for (int i = 0; i < list.size(); i++) {
        flatten(prefix + "." + i, list.get(i), flat);
      }
    } else {
      flat.put(prefix, value == null ? "" : String.valueOf(value));
    }
  }

  /** Changes the value where the key is, in either notation; a new key is added nested. */
  public static void set(Map<String, Object> tree, String key, Object value) {
    if (!replace(tree, key, value)) {
      add(tree, key, value);
    }
  }

  @SuppressWarnings("unchecked")
  private static boolean replace(Map<String, Object> tree, String key, Object value) {
    if (tree.containsKey(key)) {
      tree.put(key, value);
      return true;
    }
    for (var entry : tree.entrySet()) {
      if (key.startsWith(entry.getKey() + ".") && entry.getValue() instanceof Map<?, ?> inner
          && replace((Map<String, Object>) inner, key.substring(entry.getKey().length() + 1), value)) {
        return true;
      }
    }
    return false;
  }

  @SuppressWarnings("unchecked")
  private static void add(Map<String, Object> tree, String key, Object value) {
    int dot = key.indexOf('.');
    if (dot < 0) {
      tree.put(key, value);
      return;
    }
    Object inner = tree.get(key.substring(0, dot));
    if (!(inner instanceof Map)) {
      inner = new LinkedHashMap<String, Object>();
      tree.put(key.substring(0, dot), inner);
    }
    add((Map<String, Object>) inner, key.substring(dot + 1), value);
  }
}
