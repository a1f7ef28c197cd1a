package standin.http;

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.RejectedExecutionException;
import javax.net.ServerSocketFactory;
import standin.Log;
import standin.Threads;

/** A small HTTP/1.1 server with a thread for each connection. It completes requests in progress before it stops. */
public final class HttpServer {
  private static final int BACKLOG = 200;
  private final Handler handler;
  private final ExecutorService threads = Executors.newCachedThreadPool(Threads.named("http"));
  private final Set<Connection> connections = ConcurrentHashMap.newKeySet();
  private final List<ServerSocket> sockets = new ArrayList<>();
  private volatile boolean stopping;

  public HttpServer(Handler handler) {
    this.handler = handler;
  }

  /** An empty address means all addresses of this host. */
  public void listen(ServerSocketFactory factory, String address, int port) throws IOException {
    ServerSocket socket = factory.createServerSocket();
    socket.setReuseAddress(true);
    socket.bind(address.isEmpty() ? new InetSocketAddress(port)
        : new InetSocketAddress(InetAddress.getByName(address), port), BACKLOG);
    sockets.add(socket);
    Threads.daemon("http-accept-" + port, () -> accept(socket));
  }

  /** Accepts no new connections and waits for requests in progress, for a limited time. */
  public void stop(long graceMillis) throws InterruptedException {
    stopping = true;
    for (ServerSocket socket : sockets) {
      try {
        socket.close();
      } catch (IOException e) {
        Log.warn("A port did not close: " + e.getMessage());
      }
    }
    connections.forEach(Connection::closeIfIdle);
    long deadline = System.currentTimeMillis() + graceMillis;
    while (connections.stream().anyMatch(Connection::isBusy) && System.currentTimeMillis() < deadline) {
      Thread.sleep(20);
    }
    connections.forEach(Connection::close);
    threads.shutdownNow();
  }

  boolean isStopping() {
    return stopping;
  }

  void ended(Connection connection) {
    connections.remove(connection);
  }

  Response answer(Request request) {
    try {
      return handler.handle(request);
    } catch (HttpError e) {
      return Response.text(e.status(), e.getMessage());
    } catch (Exception e) {
      Log.error(request.method() + " " + request.path() + " failed", e);
      return Response.text(500, "Internal error");
    }
  }

  private void accept(ServerSocket listener) throws IOException {
    while (!stopping) {
      try {
        Socket socket = listener.accept();
        var connection = new Connection(socket, this);
        connections.add(connection);
        threads.execute(connection);
      } catch (IOException | RejectedExecutionException e) {
        if (!stopping) {
          Log.error("A connection was not taken", e);
        }
      }
    }
  }
}
