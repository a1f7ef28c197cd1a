package standin.web;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import standin.Node;
import standin.config.Configuration;
import standin.config.ConfigurationException;
import standin.http.HttpError;
import standin.http.Part;
import standin.http.Request;
import standin.http.Response;

/** The Cockpit's pages that change configuration files of this node only. */
final class ConfigurationPages {
  private final Node node;
  private final Configuration configuration;

  ConfigurationPages(Node node) {
    this.node = node;
    this.configuration = node.configuration();
  }

  /** One key of a YAML file. */
  Response keys(Request request) throws IOException, HttpError {
    if (request.isPost()) {
      Map<String, String> form = request.form();
      try {
        configuration.set(form.getOrDefault("file", "ivy.yaml"), required(form, "key"),
            typed(form.getOrDefault("value", "")));
      } catch (ConfigurationException e) {
        throw new HttpError(400, e.getMessage());
      }
      return Response.seeOther("/system/engine-cockpit/configuration");
    }
    String options = configuration.yamlFiles().stream()
        .map(name -> "<option>" + Html.escape(name) + "</option>").collect(Collectors.joining());
    String rows = configuration.settings().keys().stream()
        .map(key -> Html.row(key, shown(key))).collect(Collectors.joining());
    return DashboardPage.page("Configuration of this node", """
        <form method="post"><select name="file">%s</select>
        <input name="key" placeholder="EMail.Server.Host" required> <input name="value" placeholder="value">
        <button>Save</button></form><h2>In effect</h2><table>%s</table>
        """.formatted(options, rows));
  }

  /** Any text file. */
  Response files(Request request) throws IOException, HttpError {
    if (request.isPost()) {
      Map<String, String> form = request.form();
      String name = required(form, "file");
      // Forms of browsers use CRLF.
      write(name, form.getOrDefault("content", "").replace("\r\n", "\n").getBytes(StandardCharsets.UTF_8));
      return Response.seeOther("/system/engine-cockpit/files?file=" + name);
    }
    String chosen = request.query("file");
    String content = chosen.isEmpty() ? "" : editor(chosen);
    String links = names().stream().map(name -> "<li><a href=\"?file=" + Html.escape(name) + "\">" + Html.escape(name)
        + "</a></li>").collect(Collectors.joining());
    return DashboardPage.page("Files of this node", content + "<ul>" + links + "</ul>" + """
        <h2>Upload</h2>
        <form method="post" action="/system/engine-cockpit/upload" enctype="multipart/form-data">
        <input name="name" placeholder="truststore.p12" required> <input type="file" name="file" required>
        <button>Upload</button></form>
        """);
  }

  /** Any file, including binary files. */
  Response upload(Request request) throws IOException, HttpError {
    if (!request.isPost()) {
      throw new HttpError(405, "A file is sent by POST");
    }
    Map<String, Part> parts = request.parts();
    if (!parts.containsKey("name") || !parts.containsKey("file")) {
      throw new HttpError(400, "The form needs the fields name and file");
    }
    write(parts.get("name").text(), parts.get("file").content());
    return Response.seeOther("/system/engine-cockpit/files");
  }

  private String editor(String name) throws IOException, HttpError {
    Path path = path(name);
    if (!Files.isRegularFile(path)) {
      throw new HttpError(404, "There is no such file");
    }
    try {
      String text = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(Files.readAllBytes(path))).toString();
      return "<form method=\"post\"><input type=\"hidden\" name=\"file\" value=\"" + Html.escape(name)
          + "\"><textarea name=\"content\" rows=\"20\">\n" + Html.escape(text)
          + "</textarea><button>Save " + Html.escape(name) + "</button></form>";
    } catch (CharacterCodingException e) {
      return "<p>" + Html.escape(name) + " is not a text file.</p>";
    }
  }

  private void write(String name, byte[] content) throws IOException, HttpError {
    Path path = path(name);
    Files.createDirectories(path.getParent());
    Files.write(path, content);
  }

  private Path path(String name) throws HttpError {
    try {
      return configuration.editable(name);
    } catch (ConfigurationException e) {
      throw new HttpError(400, e.getMessage());
    }
  }

  private List<String> names() throws IOException {
    Path root = node.home().configuration();
    try (Stream<Path> files = Files.walk(root)) {
      return files.filter(Files::isRegularFile).map(file -> root.relativize(file).toString())
          .filter(name -> !name.startsWith("reference/") && !name.startsWith("templates/")).sorted().toList();
    }
  }

  private String shown(String key) {
    boolean secret = key.toLowerCase(Locale.ROOT).matches(".*(password|pass|secret|licence).*");
    return secret ? "******" : configuration.settings().get(key, "");
  }

  private static String required(Map<String, String> form, String name) throws HttpError {
    String value = form.getOrDefault(name, "");
    if (value.isBlank()) {
      throw new HttpError(400, "The field " + name + " is needed");
    }
    return value;
  }

  /** Only a text that would be written unchanged may become a number, unlike 007. */
  private static Object typed(String value) {
    if (value.equals("true") || value.equals("false")) {
      return Boolean.valueOf(value);
    }
    if (value.matches("0|[1-9]\\d{0,8}")) {
      return Integer.valueOf(value);
    }
    return value;
  }
}
