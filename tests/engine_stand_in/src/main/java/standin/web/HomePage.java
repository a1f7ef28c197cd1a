package standin.web;

import java.io.IOException;
import java.util.stream.Collectors;
import standin.Faults;
import standin.Node;
import standin.http.Request;
import standin.http.Response;

/** The info page, and {@code /}, which leads to it in older versions. Their health is checked at both. */
final class HomePage {
  private final Node node;

  HomePage(Node node) {
    this.node = node;
  }

  Response handle(Request request) throws IOException {
    if (Faults.healthFails()) {
      return Response.text(503, "Failure asked for by standin.health");
    }
    if (!node.mode().isMaintenance() && !node.database().isAvailable()) {
      return Response.text(503, "The system database is not available");
    }
    return node.version().redirectsHome() ? withSession(request, Response.redirect(node.version().infoPage())) : info(request);
  }

  /** The page whose text shows the mode. Visitors need no account. */
  Response info(Request request) throws IOException {
    if (node.mode().isMaintenance()) {
      // As far as known, only the text shows this mode, not the status.
      return maintenance(200);
    }
    return withSession(request, Html.page(200, "Axon Ivy Engine", body()));
  }

  private Response withSession(Request request, Response response) {
    return node.version().countsChecksAsSessions()
        ? node.sessions().attach(node.sessions().of(request), request, response) : response;
  }

  Response maintenance(int status) throws IOException {
    return Html.page(status, "Maintenance Mode", "<h1>Maintenance Mode</h1><p>This engine is in Maintenance Mode. "
        + "An administrator finds the reason in the <a href=\"/system\">Cockpit</a>.</p>");
  }

  private String body() {
    String links = node.applications().all().stream().map(application -> "<li><a href=\"/"
        + Html.escape(application.name()) + "/\">" + Html.escape(application.name()) + "</a></li>")
        .collect(Collectors.joining());
    String demo = node.mode().isDemo()
        ? "<p class=\"warning\">Demo Mode: what is done here is lost when the engine stops.</p>"
            + "<p><a href=\"/demo-portal/\">demo-portal</a></p>" : "";
    return "<h1>Axon Ivy Engine " + node.version() + "</h1><p class=\"quiet\">A stand-in for tests</p>" + demo
        + (links.isEmpty() ? "<p>No application is deployed.</p>" : "<ul>" + links + "</ul>")
        + "<p><a href=\"/system\">Cockpit</a></p>";
  }
}
