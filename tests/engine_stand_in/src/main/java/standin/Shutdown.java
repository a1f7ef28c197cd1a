package standin;

import java.util.ArrayDeque;
import java.util.Deque;

/** Stops the started parts in reverse order when the process receives a signal to end. */
final class Shutdown {
  private record Part(String name, AutoCloseable close) {}

  private final StateFile state;
  private final Deque<Part> parts = new ArrayDeque<>();

  Shutdown(StateFile state) {
    this.state = state;
  }

  void install() {
    Runtime.getRuntime().addShutdownHook(new Thread(this::run, "shutdown"));
  }

  synchronized void add(String name, AutoCloseable close) {
    parts.push(new Part(name, close));
  }

  private void run() {
    Log.info("Axon Ivy Engine is stopping");
    state.set("STOPPING");
    try {
      Faults.atStop();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    closeAll();
    Log.info("Axon Ivy Engine is stopped");
    state.remove();
  }

  private synchronized void closeAll() {
    for (Part part : parts) {
      try {
        part.close.close();
      } catch (Exception e) {
        Log.error("Stopping the " + part.name + " failed", e);
      }
    }
  }
}
