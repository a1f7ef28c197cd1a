package standin.database;

import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;

/** A note of a user of the demo application. */
public record Note(long id, String application, String text, String node, Instant createdAt) {

  public Map<String, Object> toMap() {
    var map = new LinkedHashMap<String, Object>();
    map.put("id", id);
    map.put("text", text);
    map.put("node", node);
    map.put("createdAt", createdAt.toString());
    return map;
  }
}
