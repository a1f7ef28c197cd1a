package standin;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;

/** Messages between nodes: a subject, a space, and a name. */
public final class ClusterMessages implements Consumer<String> {
  private final Map<String, Consumer<String>> receivers = new ConcurrentHashMap<>();

  public void on(String subject, Consumer<String> receiver) {
    receivers.put(subject, receiver);
  }

  @Override
  public void accept(String message) {
    int space = message.indexOf(' ');
    Consumer<String> receiver = receivers.get(message.substring(0, space));
    if (receiver != null) {
      receiver.accept(message.substring(space + 1));
    }
  }
}
