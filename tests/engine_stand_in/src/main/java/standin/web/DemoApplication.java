package standin.web;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.sql.SQLException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicBoolean;
import standin.Log;
import standin.Node;
import standin.Threads;
import standin.config.ConfigurationException;
import standin.config.Yaml;
import standin.database.Note;
import standin.deploy.Application;
import standin.http.HttpError;
import standin.http.Request;
import standin.http.Response;
import standin.http.Session;
import standin.http.WebSocket;

/** The pages of a deployed application, and the same as JSON for tests. */
final class DemoApplication {
  private static final int SHOWN_NOTES = 20;
  private static final int LONGEST_WAIT_MILLIS = 30_000;
  private static final Path RELEASE_FILE =
      Path.of(System.getProperty("standin.releaseFile", "/run/ivy-cluster/release"));

  private final Node node;
  private final Application application;

  DemoApplication(Node node, Application application) {
    this.node = node;
    this.application = application;
  }

  Response handle(Request request, String path) throws Exception {
    if (path.startsWith("/api/notes/")) {
      return note(request, number(path.substring("/api/notes/".length())));
    }
    if (path.startsWith("/api/documents/")) {
      return document(request, path.substring("/api/documents/".length()));
    }
    return switch (path) {
      case "/" -> page(request);
      case "/notes" -> addFromPage(request);
      case "/style.css" -> Html.style();
      case "/live.js" -> Html.script();
      case "/ws" -> Response.webSocket(request, this::converse);
      case "/api/info" -> info(request);
      case "/api/notes" -> notes(request);
      case "/api/search" -> Response.json(200, Map.of("notes", toMaps(search(request.query("q")))));
      case "/api/variables" -> Response.json(200, variables());
      case "/api/echo" -> echo(request);
      case "/api/slow" -> slow(request);
      default -> Response.text(404, "There is no such page in the application " + application.name());
    };
  }

  private Response page(Request request) throws IOException, SQLException {
    Session session = node.sessions().of(request);
    String words = request.query("q");
    var values = new LinkedHashMap<String, String>();
    values.put("application", Html.escape(application.name()));
    values.put("node", Html.escape(node.name()));
    values.put("hue", String.valueOf(Math.floorMod(node.name().hashCode() * 47, 360)));
    values.put("version", node.version().toString());
    values.put("release", Html.escape(release()));
    values.put("counter", String.valueOf(session.count()));
    values.put("sessions", String.valueOf(node.sessions().count()));
    values.put("greeting", Html.escape(greeting()));
    values.put("words", Html.escape(words));
    values.put("notes", list(words.isBlank() ? node.database().notes(application.name(), SHOWN_NOTES) : found(words)));
    values.put("title", words.isBlank() ? "Notes, from the database" : "Notes that were found in the index");
    return node.sessions().attach(session, request, Response.html(200, Html.fill("demo.html", values)))
        .with("Cache-Control", "no-store");
  }

  private List<Note> found(String words) throws SQLException {
    try {
      return search(words);
    } catch (HttpError e) {
      return List.of();
    }
  }

  private static String list(List<Note> notes) {
    if (notes.isEmpty()) {
      return "<li class=\"quiet\">Nothing here yet.</li>";
    }
    var items = new StringBuilder();
    for (Note note : notes) {
      items.append("<li><p>").append(Html.escape(note.text())).append("</p><small>written on ")
          .append(Html.escape(note.node())).append(", ")
          .append(note.createdAt().toString().replaceFirst("\\..*|Z$", "").replace('T', ' '))
          .append(" UTC</small></li>\n");
    }
    return items.toString();
  }

  private Response addFromPage(Request request) throws Exception {
    if (!request.isPost()) {
      return Response.text(405, "A note is sent by POST");
    }
    add(text(request));
    return Response.seeOther("./");
  }

  private Response info(Request request) {
    Session session = node.sessions().of(request);
    var info = new LinkedHashMap<String, Object>();
    info.put("node", node.name());
    info.put("release", release());
    info.put("version", node.version().toString());
    info.put("sessions", node.sessions().count());
    info.put("counter", session.count());
    info.put("greeting", greeting());
    info.put("secure", request.isSecure());
    info.put("publicUrl", request.publicUrl());
    info.put("applicationVersion", application.release().version());
    return node.sessions().attach(session, request, Response.json(200, info)).with("Cache-Control", "no-store");
  }

  private Response notes(Request request) throws Exception {
    if (!request.isPost()) {
      return Response.json(200,
          Map.of("notes", toMaps(node.database().notes(application.name(), SHOWN_NOTES))));
    }
    var answer = new LinkedHashMap<String, Object>();
    Note note = node.database().addNote(application.name(), text(request), node.name());
    answer.put("id", note.id());
    answer.put("indexed", index(note));
    return Response.json(201, answer);
  }

  private Response note(Request request, long id) throws Exception {
    if (request.method().equals("PUT")) {
      if (!node.database().changeNote(application.name(), id, text(request))) {
        return Response.text(404, "There is no such note");
      }
      node.notes().forget(id);
      node.announce().accept("note " + id);
      node.database().note(application.name(), id).ifPresent(this::index);
    }
    Optional<Note> note = node.notes().get(application.name(), id);
    return note.isPresent() ? Response.json(200, note.get().toMap()) : Response.text(404, "There is no such note");
  }

  private void add(String text) throws SQLException {
    index(node.database().addNote(application.name(), text, node.name()));
  }

  /** A note is not lost if indexing fails, since it is in the database. */
  private boolean index(Note note) {
    if (node.search().isEmpty()) {
      return false;
    }
    try {
      node.search().get().add(note);
      return true;
    } catch (IOException e) {
      Log.error("Note " + note.id() + " is not in the index", e);
      return false;
    }
  }

  private List<Note> search(String words) throws SQLException, HttpError {
    if (node.mode().isDemo()) {
      String lower = words.toLowerCase(Locale.ROOT);
      return node.database().notes(application.name(), SHOWN_NOTES).stream()
          .filter(note -> note.text().toLowerCase(Locale.ROOT).contains(lower)).toList();
    }
    var found = new ArrayList<Note>();
    try {
      for (long id : node.search().orElseThrow(() -> new IOException("none is configured"))
          .find(application.name(), words)) {
        node.notes().get(application.name(), id).ifPresent(found::add);
      }
    } catch (IOException e) {
      Log.error("The search server did not answer", e);
      throw new HttpError(503, "The search server is not available");
    }
    return found;
  }

  /** Documents of cases are in the data directory, which all nodes share. */
  private Response document(Request request, String name) throws IOException, HttpError {
    if (!name.matches("[A-Za-z0-9_-][A-Za-z0-9_.-]*")) {
      throw new HttpError(400, "Not a name for a document");
    }
    String data = node.configuration().settings().get(node.version().filesDirectoryKey(), "data");
    Path file = node.home().resolve(data).resolve("documents").resolve(application.name()).resolve(name);
    if (request.method().equals("PUT")) {
      Files.createDirectories(file.getParent());
      Files.write(file, request.body());
      return Response.text(201, "Written on " + node.name());
    }
    return Files.exists(file) ? Response.of(200, "application/octet-stream", Files.readAllBytes(file))
        : Response.text(404, "There is no such document");
  }

  private static Response echo(Request request) {
    var answer = new LinkedHashMap<String, Object>();
    answer.put("method", request.method());
    answer.put("headers", request.headers().toMap());
    answer.put("body", request.text());
    return Response.json(200, answer);
  }

  private Response slow(Request request) throws HttpError, InterruptedException {
    long millis = Math.min(number(request.query("ms")), LONGEST_WAIT_MILLIS);
    Thread.sleep(millis);
    return Response.json(200, Map.of("node", node.name(), "ms", millis));
  }

  /** Sends the node's name once a second, and echoes messages. */
  private void converse(WebSocket socket) throws IOException {
    var open = new AtomicBoolean(true);
    Threads.daemon("websocket-ticker", () -> {
      try {
        while (open.get()) {
          socket.send("{\"node\":\"" + node.name() + "\",\"time\":\"" + Instant.now() + "\"}");
          Thread.sleep(1000);
        }
      } catch (IOException e) {
        open.set(false);
      }
    });
    try {
      for (Optional<String> text = socket.receive(); text.isPresent(); text = socket.receive()) {
        socket.send(text.get());
      }
    } finally {
      open.set(false);
    }
  }

  private Map<String, String> variables() {
    var variables = new TreeMap<>(application.ownConfiguration().variables());
    variables.putAll(node.configuration().variables(application.name()));
    return variables;
  }

  private String greeting() {
    return variables().getOrDefault("Greeting", "");
  }

  /** Written by the node's configuration management. */
  private static String release() {
    try {
      return Files.readString(RELEASE_FILE).trim();
    } catch (IOException e) {
      return "-";
    }
  }

  private static List<Map<String, Object>> toMaps(List<Note> notes) {
    return notes.stream().map(Note::toMap).toList();
  }

  private static String text(Request request) throws HttpError {
    String type = request.headers().first("Content-Type").orElse("");
    String text = request.text();
    if (request.isForm()) {
      text = request.form().getOrDefault("text", "");
    } else if (type.startsWith("application/json")) {
      try {
        text = String.valueOf(Yaml.tree(text).getOrDefault("text", ""));
      } catch (ConfigurationException e) {
        throw new HttpError(400, "The body is not a JSON object");
      }
    }
    if (text.isBlank()) {
      throw new HttpError(400, "The note is empty");
    }
    return text;
  }

  private static long number(String text) throws HttpError {
    try {
      return Long.parseLong(text);
    } catch (NumberFormatException e) {
      throw new HttpError(400, "Not a number: " + text);
    }
  }
}
