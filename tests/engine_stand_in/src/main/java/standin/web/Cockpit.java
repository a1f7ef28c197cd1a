package standin.web;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import standin.Node;
import standin.config.Administrators;
import standin.http.HttpError;
import standin.http.Request;
import standin.http.Response;

/** Everything below {@code /system}: for administrators only. */
final class Cockpit {
  private static final String ROOT = "/system/engine-cockpit";
  private final Node node;
  private final Administrators administrators;
  private final DashboardPage dashboard;
  private final ConfigurationPages configuration;
  private final SystemApi api;

  Cockpit(Node node) {
    this.node = node;
    this.administrators = new Administrators(node.configuration().settings());
    this.dashboard = new DashboardPage(node);
    this.configuration = new ConfigurationPages(node);
    this.api = new SystemApi(node);
  }

  Response handle(Request request) throws Exception {
    if (!isAdministrator(request)) {
      return Response.text(401, "An administrator's name and password are needed")
          .with("WWW-Authenticate", "Basic realm=\"Axon Ivy Engine Cockpit\", charset=\"UTF-8\"");
    }
    String path = request.path();
    if (path.startsWith("/system/api/")) {
      return api.handle(request, path.substring("/system/api/".length()));
    }
    return switch (path) {
      case "/system", "/system/" -> Response.redirect(ROOT);
      case ROOT -> dashboard.overview();
      // Samples of several versions use the older address.
      case ROOT + "/cluster", "/system/faces/view/engine-cockpit/cluster.xhtml" -> dashboard.cluster();
      case ROOT + "/configuration" -> configuration.keys(request);
      case ROOT + "/files" -> configuration.files(request);
      case ROOT + "/upload" -> configuration.upload(request);
      case ROOT + "/licence" -> uploadLicence(request);
      default -> Response.text(404, "The Cockpit has no such page");
    };
  }

  private Response uploadLicence(Request request) throws Exception {
    if (!request.isPost() || !request.parts().containsKey("file")) {
      throw new HttpError(400, "A form with a file is needed");
    }
    node.licence().upload(request.parts().get("file").text());
    return Response.seeOther(ROOT);
  }

  private boolean isAdministrator(Request request) {
    String header = request.headers().first("Authorization").orElse("");
    if (!header.startsWith("Basic ")) {
      return false;
    }
    String[] account;
    try {
      account = new String(Base64.getDecoder().decode(header.substring(6)), StandardCharsets.UTF_8).split(":", 2);
    } catch (IllegalArgumentException e) {
      return false;
    }
    if (account.length < 2) {
      return false;
    }
    boolean demo = node.mode().isDemo() && account[0].equals("admin") && account[1].equals("admin");
    return demo || administrators.accepts(account[0], account[1]);
  }
}
