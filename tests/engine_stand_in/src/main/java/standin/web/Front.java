package standin.web;

import java.util.Optional;
import standin.Faults;
import standin.Licence;
import standin.Log;
import standin.Node;
import standin.deploy.Application;
import standin.http.Handler;
import standin.http.Request;
import standin.http.Response;

/** Dispatches requests. Licence, mode and state of the node are checked before the pages. */
public final class Front implements Handler {
  private static final String HEALTH = "/system/health";
  private final Node node;
  private final Cockpit cockpit;
  private final HomePage home;
  private volatile boolean ready;

  public Front(Node node) {
    this.node = node;
    this.cockpit = new Cockpit(node);
    this.home = new HomePage(node);
  }

  /** Until then every request gets 503. */
  public void ready() {
    ready = true;
  }

  @Override
  public Response handle(Request request) throws Exception {
    Faults.atRequest();
    String path = request.path();
    if (!ready) {
      return Response.text(503, "Axon Ivy Engine is starting");
    }
    if (path.equals(HEALTH) && node.version().hasHealthPage()) {
      return node.isHealthy() ? Response.text(200, "OK") : Response.text(503, "Not healthy");
    }
    if (!node.isLicensed()) {
      return Response.text(503, "Service Unavailable: the licence does not allow as many nodes");
    }
    if (!isHostAllowed(request)) {
      Log.warn("The licence does not allow the host " + request.host());
      return Response.text(403, "The licence does not allow access by the host name " + request.host());
    }
    if (path.equals(node.version().infoPage())) {
      return home.info(request);
    }
    if (path.equals("/system") || path.startsWith("/system/")) {
      return cockpit.handle(request);
    }
    if (path.equals("/style.css")) {
      return Html.style();
    }
    if (path.equals("/")) {
      return home.handle(request);
    }
    if (node.mode().isMaintenance()) {
      return home.maintenance(503);
    }
    if (!node.database().isAvailable()) {
      return Response.text(503, "The system database is not available");
    }
    return application(request);
  }

  private boolean isHostAllowed(Request request) {
    Optional<Licence> licence = node.licence().get();
    return !node.mode().isProduction() || licence.isEmpty() || licence.get().allowsHost(request.host());
  }

  private Response application(Request request) throws Exception {
    String path = request.path();
    if (node.version().hasSecurityContextPaths() && path.startsWith("/default/")) {
      path = path.substring("/default".length());
    }
    int slash = path.indexOf('/', 1);
    String name = slash < 0 ? path.substring(1) : path.substring(1, slash);
    Optional<Application> application = node.applications().find(name);
    if (application.isEmpty()) {
      return Response.text(404, "There is no application at this address");
    }
    return slash < 0 ? Response.redirect(request.path() + "/")
        : new DemoApplication(node, application.get()).handle(request, path.substring(slash));
  }
}
