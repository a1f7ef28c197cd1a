package standin.config;

import java.util.LinkedHashMap;
import java.util.Map;
import org.snakeyaml.engine.v2.api.Dump;
import org.snakeyaml.engine.v2.api.DumpSettings;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.common.FlowStyle;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;

/** YAML text to trees and back. JSON is YAML, so this reads JSON too. */
public final class Yaml {
  private Yaml() {}

  /** An empty document is an empty tree. */
  public static Map<String, Object> tree(String text) throws ConfigurationException {
    Object document = load(text);
    if (document == null) {
      return new LinkedHashMap<>();
    }
    if (document instanceof Map<?, ?> map) {
      return withTextKeys(map);
    }
    throw new ConfigurationException("not a mapping of keys to values");
  }

  public static Object load(String text) throws ConfigurationException {
    try {
      return new Load(LoadSettings.builder().build()).loadFromString(text);
    } catch (YamlEngineException e) {
      throw new ConfigurationException("not valid YAML: " + e.getMessage().replaceAll("\\s*\\n\\s*", "; "));
    }
  }

  /** Comments are lost, as they are when the real Cockpit saves a file, except the schema header. */
  public static String dump(String header, Map<String, Object> tree) {
    var settings = DumpSettings.builder().setDefaultFlowStyle(FlowStyle.BLOCK).build();
    return header + (tree.isEmpty() ? "" : new Dump(settings).dumpToString(tree));
  }

  public static String header(String text) {
    String first = text.lines().findFirst().orElse("");
    return first.startsWith("# yaml-language-server:") ? first + "\n" : "";
  }

  private static Map<String, Object> withTextKeys(Map<?, ?> map) {
    var tree = new LinkedHashMap<String, Object>();
    map.forEach((key, value) ->
        tree.put(String.valueOf(key), value instanceof Map<?, ?> inner ? withTextKeys(inner) : value));
    return tree;
  }
}
