package standin.search;

import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import standin.EngineVersion;
import standin.Log;
import standin.Threads;
import standin.config.ConfigurationException;
import standin.config.Settings;
import standin.config.Yaml;
import standin.database.Note;
import standin.database.SystemDatabase;
import standin.http.Json;

/** The external search server. A call every few seconds keeps a connection to it open. */
public final class SearchServer {
  private static final String INDEX = "ivy-notes";
  private static final int CHECK_MILLIS = 3000;

  private final String url;
  private final String authorization;
  private final EngineVersion engine;
  private final SystemDatabase database;
  private final HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1)
      .connectTimeout(Duration.ofSeconds(3)).build();
  private volatile String state = "not reached yet";
  private volatile boolean available;

  private SearchServer(String url, String user, String password, EngineVersion engine, SystemDatabase database) {
    this.url = url.replaceFirst("/+$", "");
    this.authorization = user.isEmpty() ? "" : "Basic "
        + Base64.getEncoder().encodeToString((user + ":" + password).getBytes(StandardCharsets.UTF_8));
    this.engine = engine;
    this.database = database;
  }

  public static Optional<SearchServer> of(Settings settings, EngineVersion engine, SystemDatabase database) {
    String prefix = engine.searchPrefix() + ".ExternalServer.";
    return settings.find(prefix + "Url").map(url -> new SearchServer(url, settings.get(prefix + "UserName", ""),
        settings.get(prefix + "Password", ""), engine, database));
  }

  public void connect() {
    check();
    Threads.every(CHECK_MILLIS, "search-keeper", this::check);
  }

  public boolean isAvailable() {
    return available;
  }

  public String state() {
    return state;
  }

  public String url() {
    return url;
  }

  /** When this returns, every node can find the note. */
  public void add(Note note) throws IOException {
    call("PUT", "/" + INDEX + "/_doc/" + note.id() + "?refresh=true", document(note));
  }

  public List<Long> find(String application, String words) throws IOException {
    var query = Map.of("size", 50, "_source", false, "query", Map.of("bool", Map.of(
        "must", List.of(Map.of("match", Map.of("text", words))),
        "filter", List.of(Map.of("term", Map.of("application", application))))));
    Map<String, Object> answer = call("POST", "/" + INDEX + "/_search", Json.write(query));
    var ids = new ArrayList<Long>();
    if (answer.get("hits") instanceof Map<?, ?> hits && hits.get("hits") instanceof List<?> list) {
      list.forEach(hit -> ids.add(Long.valueOf(String.valueOf(((Map<?, ?>) hit).get("_id")))));
    }
    return ids;
  }

  private void check() {
    try {
      Map<String, Object> info = call("GET", "/", "");
      Map<?, ?> version = info.get("version") instanceof Map<?, ?> map ? map : Map.of();
      String product = version.get("distribution") == null ? "elasticsearch" : "" + version.get("distribution");
      String found = product + " " + version.get("number");
      if (!product.equals(engine.searchProduct())) {
        set(false, found + " at " + url + ": this version needs " + engine.searchProduct());
        return;
      }
      if (!available) {
        createIndex();
      }
      String number = String.valueOf(version.get("number"));
      boolean supported = engine.searchVersions().stream().anyMatch(each -> number.startsWith(each + "."));
      set(true, found + (supported ? "" : " (not supported, " + String.join(" or ", engine.searchVersions()) + " is)"));
    } catch (IOException e) {
      set(false, "not available at " + url + ": " + e);
    }
  }

  private void set(boolean nowAvailable, String nowState) {
    if (!nowState.equals(state)) {
      if (nowAvailable) {
        Log.info("Search server: " + nowState);
      } else {
        Log.warn("Search server: " + nowState);
      }
    }
    available = nowAvailable;
    state = nowState;
  }

  /** Rebuilds a lost index from the system database. */
  private void createIndex() throws IOException {
    if (send("HEAD", "/" + INDEX, "").statusCode() == 200) {
      return;
    }
    String mapping = Json.write(Map.of("mappings", Map.of("properties",
        Map.of("application", Map.of("type", "keyword"), "text", Map.of("type", "text")))));
    int status = send("PUT", "/" + INDEX, mapping).statusCode();
    if (status != 200 && status != 400) {
      throw new IOException("The index cannot be created, status " + status);
    }
    try {
      for (Note note : database.allNotes()) {
        add(note);
      }
    } catch (SQLException e) {
      throw new IOException("The notes to index cannot be read", e);
    }
  }

  private static String document(Note note) {
    return Json.write(Map.of("application", note.application(), "text", note.text(), "node", note.node()));
  }

  private Map<String, Object> call(String method, String path, String body) throws IOException {
    HttpResponse<String> response = send(method, path, body);
    if (response.statusCode() >= 300) {
      throw new IOException(method + " " + path + " answered " + response.statusCode());
    }
    try {
      return Yaml.tree(response.body());
    } catch (ConfigurationException e) {
      throw new IOException(method + " " + path + " gave no JSON", e);
    }
  }

  private HttpResponse<String> send(String method, String path, String body) throws IOException {
    HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url + path)).timeout(Duration.ofSeconds(10))
        .header("Content-Type", "application/json")
        .method(method, body.isEmpty() ? HttpRequest.BodyPublishers.noBody()
            : HttpRequest.BodyPublishers.ofString(body));
    if (!authorization.isEmpty()) {
      request.header("Authorization", authorization);
    }
    try {
      return client.send(request.build(), BodyHandlers.ofString());
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IOException("interrupted", e);
    }
  }
}
