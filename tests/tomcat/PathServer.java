// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

import java.io.IOException;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.logging.Level;
import java.util.logging.Logger;
import javax.servlet.http.HttpServlet;
import javax.servlet.http.HttpServletRequest;
import javax.servlet.http.HttpServletResponse;
import org.apache.catalina.Context;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;

/**
 * A Tomcat whose servlets report which of them a request reached. Usage: PathServer DIRECTORY, an empty directory.
 *
 * <p>Accepts whatever Tomcat's settings allow. It listens on the loopback interface with one connector for each way to
 * treat an encoded slash, and prints their ports in the order of {@link #ENCODED_SLASH}. Ends with its standard input.
 */
public final class PathServer {
  /** As the engine maps its administration and its applications. */
  private static final Map<String, String[]> SERVLETS =
      Map.of(
          "root", new String[] {"/"},
          "app", new String[] {"/app/*"},
          "ivy", new String[] {"/ivy/*"},
          "system", new String[] {"/system/*", "/ivy/system/*"});

  /** Tomcat's default is the first. */
  private static final List<String> ENCODED_SLASH = List.of("reject", "decode", "passthrough");

  /** Tomcat treats these characters as errors unless they are listed. */
  private static final String RELAXED = "\"<>[\\]^`{|}";

  /** The level lasts only as long as the logger is referenced. */
  private static final Logger LOGGER = Logger.getLogger("org.apache");

  private PathServer() {}

  public static void main(String[] arguments) throws Exception {
    LOGGER.setLevel(Level.SEVERE);
    System.setProperty("org.apache.catalina.connector.CoyoteAdapter.ALLOW_BACKSLASH", "true");
    Path directory = Path.of(arguments[0]);
    Tomcat tomcat = new Tomcat();
    tomcat.setBaseDir(directory.toString());
    List<Connector> connectors = new ArrayList<>();
    for (String handling : ENCODED_SLASH) {
      connectors.add(listen(tomcat, handling));
    }
    Context context = tomcat.addContext("", null);
    try (PrintWriter log = new PrintWriter(Files.newBufferedWriter(directory.resolve("handled.log")), true)) {
      SERVLETS.forEach(
          (name, patterns) -> {
            Tomcat.addServlet(context, name, new Reporter(name, log));
            for (String pattern : patterns) {
              context.addServletMappingDecoded(pattern, name);
            }
          });
      tomcat.start();
      for (Connector connector : connectors) {
        System.out.println(connector.getLocalPort());
      }
      while (System.in.read() >= 0) {
        // Nothing is sent: the input ends with the test.
      }
      tomcat.stop();
    }
  }

  private static Connector listen(Tomcat tomcat, String encodedSlash) {
    Connector connector = new Connector();
    connector.setPort(0);
    connector.setProperty("address", "127.0.0.1");
    connector.setEncodedSolidusHandling(encodedSlash);
    connector.setProperty("relaxedPathChars", RELAXED);
    connector.setProperty("relaxedQueryChars", RELAXED);
    connector.setProperty("rejectIllegalHeader", "false");
    // Longer than the balancer accepts.
    connector.setProperty("maxHttpHeaderSize", "65536");
    tomcat.getService().addConnector(connector);
    return connector;
  }

  /** Responds with its name, and with the target and the path as Tomcat understands them. */
  private static final class Reporter extends HttpServlet {
    private static final long serialVersionUID = 1L;
    private final String name;
    private final transient PrintWriter log;

    Reporter(String name, PrintWriter log) {
      this.name = name;
      this.log = log;
    }

    @Override
    protected void service(HttpServletRequest request, HttpServletResponse response) throws IOException {
      // The balancer's own checks do not have this header.
      if (request.getHeader("X-Forwarded-For") != null) {
        log.println(name + " " + request.getMethod() + " " + request.getRequestURI());
      }
      String query = request.getQueryString() == null ? "" : "?" + request.getQueryString();
      String info = request.getPathInfo() == null ? "" : request.getPathInfo();
      String body =
          "{\"target\": " + quoted(request.getRequestURI() + query)
              + ", \"servlet\": " + quoted(name)
              + ", \"path\": " + quoted(request.getServletPath() + info) + "}";
      byte[] content = body.getBytes(StandardCharsets.US_ASCII);
      response.setContentType("application/json");
      response.setContentLength(content.length);
      response.getOutputStream().write(content);
    }

    private static String quoted(String text) {
      StringBuilder json = new StringBuilder("\"");
      for (char unit : text.toCharArray()) {
        boolean plain = unit >= ' ' && unit <= '~' && unit != '"' && unit != '\\';
        json.append(plain ? String.valueOf(unit) : String.format("\\u%04x", (int) unit));
      }
      return json.append('"').toString();
    }
  }
}
